"""Folders, files and caches of weights as people have them: each loads, or one sentence names what is wrong."""

import json
import os
import shutil

import numpy as np
import pytest
import torch
from layouts import in_cache, use_cache
from safetensors.torch import load_file, save_file
from tiny import instruct_pix2pix_folder, picture, values
from tiny_editors import kontext_folder

from smile import InputError, load_editor
from smile.models.cache import Cache

TEXTS = ["make it snow", ""]
SHARD = "unet/diffusion_pytorch_model-00001-of-00002.safetensors"
UNET, CLIP = "unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return instruct_pix2pix_folder(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def expected(whole):
    return edit(load_editor(str(whole)))


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "weights")


def edit(editor):
    return values(editor.edit(picture((32, 32)), TEXTS, seed=0))


def change_json(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def keep_variant(folder):
    """Nothing but the half-precision variant, as many repositories are copied."""
    for path in folder.rglob("*.safetensors"):
        tensors = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in load_file(path).items()}
        save_file(tensors, path.with_name(f"{path.stem}.fp16.safetensors"), metadata={"format": "pt"})
        path.unlink()


def keep_pickles(folder):
    for path in folder.rglob("*.safetensors"):
        name = "pytorch_model.bin" if path.stem == "model" else f"{path.stem}.bin"
        torch.save(load_file(path), path.with_name(name))
        path.unlink()


def split(folder):
    """The UNet in two shards with their index."""
    tensors = load_file(folder / UNET)
    (folder / UNET).unlink()
    names = sorted(tensors)
    parts = {f"diffusion_pytorch_model-0000{i + 1}-of-00002.safetensors": names[i::2] for i in range(2)}
    for file, held in parts.items():
        save_file({name: tensors[name] for name in held}, folder / "unet" / file, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file for file, held in parts.items() for name in held}}
    (folder / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def point(path):
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 3438167540\n")


def drop_tensor(path):
    tensors = load_file(path)
    del tensors[next(name for name in sorted(tensors) if name.endswith("weight"))]
    save_file(tensors, path, metadata={"format": "pt"})


def shrink_tensor(path):
    tensors = load_file(path)
    name = next(name for name in sorted(tensors) if tensors[name].ndim > 1)
    save_file(tensors | {name: tensors[name][:1].clone()}, path, metadata={"format": "pt"})


def link_to_itself(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.symlink_to(path.name)


LOADS = {
    "as it was saved": lambda folder: None,
    "half-precision variant only": keep_variant,
    "pickles only": keep_pickles,
    "shards": split,
    "other files beside it": lambda folder: (folder / "v1-5.ckpt").write_bytes(b"never read"),
    "a link to the weights": lambda folder: ((folder / "unet").rename(folder / "far"), (folder / "unet").symlink_to("far")),
}


@pytest.mark.parametrize("change", LOADS.values(), ids=LOADS)
def test_what_loads(folder, expected, change, capfd):
    change(folder)
    editor = load_editor(str(folder))
    assert np.abs(edit(editor) - expected).max() <= 2 / 255
    assert "".join(capfd.readouterr()) == ""


REFUSED = {
    "LFS pointer": (lambda f: point(f / UNET), rf"{UNET} is a Git LFS pointer.*git lfs pull"),
    "LFS pointer for a configuration": (lambda f: point(f / "vae/config.json"), "vae/config.json is a Git LFS pointer"),
    "cut off": (lambda f: cut(f / CLIP), rf"{CLIP} is cut off: it has \d+ bytes of \d+"),
    "cut off in its header": (lambda f: (f / UNET).write_bytes((f / UNET).read_bytes()[:50]), f"{UNET} is cut off"),
    "a page in its place": (lambda f: (f / UNET).write_text("<html>Not found</html>" * 9), f"{UNET} is .*no safetensors file"),
    "an empty file": (lambda f: (f / UNET).write_bytes(b""), f"{UNET} is cut off"),
    "a shard is cut off": (
        lambda f: (split(f), cut(f / "unet/diffusion_pytorch_model-00002-of-00002.safetensors")), "00002-of-00002.* is cut off"
    ),
    "a shard is missing": (
        lambda f: (split(f), (f / SHARD).unlink()), "00001-of-00002.*No such"
    ),
    "a pickle is cut off": (lambda f: (keep_pickles(f), cut(f / "vae/diffusion_pytorch_model.bin")), "vae/.*bin is cut off"),
    "no weights": (lambda f: (f / UNET).unlink(), "unet has no weights"),
    "no scheduler": (lambda f: shutil.rmtree(f / "scheduler"), "the folder scheduler is missing"),
    "no scheduler's configuration": (
        lambda f: (f / "scheduler/scheduler_config.json").unlink(), "scheduler/scheduler_config.json is missing"
    ),
    "no tokenizer's words": (lambda f: [p.unlink() for p in (f / "tokenizer").iterdir()], "tokenizer/tokenizer_config.json"),
    "missing tensor": (lambda f: drop_tensor(f / UNET), r"in unet there is no \S+weight"),
    "missing tensor of the text encoder": (lambda f: drop_tensor(f / CLIP), r"in text_encoder there is no \S+weight"),
    "wrong shape": (lambda f: shrink_tensor(f / UNET), "unet has .* of another shape"),
    "wrong shape of the text encoder": (lambda f: shrink_tensor(f / CLIP), "text_encoder has weights of another shape"),
    "another class": (
        lambda f: change_json(f / "model_index.json", _class_name="StableDiffusionPipeline"), "holds a StableDiffusionPipeline"
    ),
    "a video's class": (
        lambda f: change_json(f / "model_index.json", _class_name="WanImageToVideoPipeline"), "which makes a video"
    ),
    "a class of its own code": (
        lambda f: change_json(f / "model_index.json", _class_name=["pipeline", "Mine"]), "so it is no diffusers editor"
    ),
    "a part of another library": (
        lambda f: change_json(f / "model_index.json", vae=["mylib", "Vae"]), "can be read .mylib is not one of"
    ),
    "a part that is not known": (lambda f: change_json(f / "model_index.json", vae=["diffusers", "NoVae"]), "need NoVae"),
    "a folder that is a link to itself": (lambda f: link_to_itself(f / "unet"), "the folder unet is missing"),
    "weights that are a link to themselves": (lambda f: link_to_itself(f / UNET), f"{UNET} cannot be read"),
    "absurdly many layers": (
        lambda f: change_json(f / "text_encoder/config.json", num_hidden_layers=10**9), "num_hidden_layers is 1000000000, which"
    ),
    "absurdly wide": (lambda f: change_json(f / "unet/config.json", cross_attention_dim=10**12), "cross_attention_dim is 1000"),
    "absurdly wide in a list": (
        lambda f: change_json(f / "vae/config.json", block_out_channels=[10**9, 16, 16]), "block_out_channels is 1000000000"
    ),
    "no index": (lambda f: (f / "model_index.json").unlink(), "has no model_index.json"),
    "an index that is a list": (lambda f: (f / "model_index.json").write_text("[]"), "holds no JSON object"),
    "a link to nowhere": (lambda f: (shutil.rmtree(f), f.symlink_to(f.name)), "no weights at|no editor called"),
}  # fmt: skip


@pytest.mark.parametrize("change, reason", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_in_one_sentence(folder, change, reason, capfd):
    change(folder)
    with pytest.raises(InputError, match=reason) as caught:
        load_editor(str(folder))
    said = str(caught.value)
    assert "\n" not in said and said.endswith(".") and len(said) < 600
    assert "".join(capfd.readouterr()) == ""


def cached(hub, monkeypatch, whole, name="somebody/edits", **kept):
    """A repository in the Hub's cache, and no network."""
    use_cache(hub, monkeypatch)
    place = in_cache(hub, name)
    shutil.copytree(whole, place, dirs_exist_ok=True)
    return place


def test_a_repository_is_the_same_as_its_folder(whole, expected, tmp_path, monkeypatch):
    cached(tmp_path, monkeypatch, whole)
    editor, same = load_editor("somebody/edits"), load_editor(str(whole))
    assert (editor.settings, editor.working_size) == (same.settings, same.working_size) == (same.settings, 32)
    assert np.array_equal(edit(editor), expected)


def test_a_cache_that_holds_the_index_alone_is_not_enough_offline(whole, tmp_path, monkeypatch):
    place = cached(tmp_path, monkeypatch, whole)
    shutil.rmtree(place / "unet")
    for name in ("somebody/edits", "nobody/edits"):
        with pytest.raises(InputError, match=f"{name} are not on this machine.*HF_HUB_OFFLINE") as caught:
            load_editor(name)
        assert "\n" not in str(caught.value)


def test_a_revision(whole, expected, tmp_path, monkeypatch):
    place = cached(tmp_path, monkeypatch, whole)
    other = place.parent / ("0" * 39 + "7")
    shutil.copytree(whole, other)
    change_json(other / "editor.json", steps=3)
    (place.parent.parent / "refs" / "faster").write_text(other.name)
    plain, faster = load_editor("somebody/edits"), load_editor("somebody/edits", revision="faster")
    assert (plain.settings["steps"], faster.settings["steps"]) == (2, 3)
    keys = {Cache().identify(each, picture(), None).key for each in (plain, faster.with_settings(steps=2))}
    assert len(keys) == 2, "what one made is not taken for what the other makes"


@pytest.fixture(scope="module")
def lora(whole, tmp_path_factory):
    """A LoRA of the UNet's attention, as training scripts save it."""
    from diffusers import StableDiffusionPipeline
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    torch.manual_seed(0)
    unet = load_editor(str(whole)).pipeline.unet
    unet.add_adapter(LoraConfig(r=2, lora_alpha=2, init_lora_weights=False, target_modules=["to_q", "to_k", "to_v"]))
    place = tmp_path_factory.mktemp("lora")
    StableDiffusionPipeline.save_lora_weights(place, unet_lora_layers=get_peft_model_state_dict(unet))
    return place / "pytorch_lora_weights.safetensors"


def test_a_lora_is_merged_and_known_by_its_content(whole, expected, lora, tmp_path):
    editor = load_editor(str(whole), lora=str(lora))
    edits = edit(editor)
    assert np.abs(edits - expected).max() > 0.02 and editor.lora == str(lora)
    assert not [name for name, _ in editor.pipeline.unet.named_parameters() if "lora" in name]
    assert np.array_equal(edit(load_editor("instruct-pix2pix", str(whole), lora=str(lora.parent))), edits)
    other = shutil.copy(lora, tmp_path / "other.safetensors")
    tensors = {name: tensor * 2 for name, tensor in load_file(other).items()}
    save_file(tensors, other, metadata={"format": "pt"})
    editors = (load_editor(str(whole)), editor, load_editor(str(whole), lora=other))
    assert len({Cache().identify(each, picture(), None).key for each in editors}) == 3


def test_a_lora_that_will_not_do_is_one_sentence(whole, lora, tmp_path):
    (tmp_path / "broken.safetensors").write_bytes(b"garbage" * 99)
    kontext = kontext_folder(tmp_path / "kontext")
    for place, given, reason in (
        (whole, tmp_path / "none.safetensors", "There is no LoRA at"),
        (whole, tmp_path / "broken.safetensors", "The LoRA .* does not fit .*or cannot be read"),
        (kontext, lora, "does not fit"),
    ):
        with pytest.raises(InputError, match=reason) as caught:
            load_editor(str(place), lora=str(given))
        assert "\n" not in str(caught.value)


def test_a_single_file(whole, tmp_path, monkeypatch):
    from diffusers import StableDiffusionInstructPix2PixPipeline

    file = tmp_path / "magicbrush.safetensors"
    save_file({"nothing": torch.zeros(1)}, file)
    with pytest.raises(InputError, match="magicbrush.safetensors cannot be read as instruct-pix2pix .*base") as caught:
        load_editor("instruct-pix2pix", str(file), base=str(whole))
    assert "\n" not in str(caught.value)

    def read(cls, path, *, config, **options):
        assert (path, config) == (str(file), str(whole))
        return StableDiffusionInstructPix2PixPipeline.from_pretrained(config, safety_checker=None)

    monkeypatch.setattr(StableDiffusionInstructPix2PixPipeline, "from_single_file", classmethod(read))
    editor = load_editor("instruct-pix2pix", str(file), base=str(whole))
    assert editor.weights == editor.location == str(file) and editor.settings["steps"] == 20
    use_cache(tmp_path / "empty", monkeypatch)
    with pytest.raises(InputError, match="timbrooks/instruct-pix2pix are not on this machine"):
        load_editor("instruct-pix2pix", str(file))


def test_a_mirror_of_turbos_base(sd_turbo, published, tmp_path, monkeypatch):
    use_cache(tmp_path, monkeypatch)
    shutil.copytree(sd_turbo, in_cache(tmp_path, "mirror/sd-turbo"), dirs_exist_ok=True)
    editor = load_editor("img2img-turbo", str(published["edges"][1]), base="mirror/sd-turbo")
    assert editor.location == "mirror/sd-turbo"


def test_what_an_editor_has_not_cannot_be_chosen(published, sd_turbo):
    with pytest.raises(InputError, match="no lora to choose"):
        load_editor("img2img-turbo", str(published["edges"][1]), base=str(sd_turbo), lora="a/b")


def test_no_thread_asks_the_hub_for_a_conversion():
    assert os.environ["DISABLE_SAFETENSORS_CONVERSION"] == "1"
