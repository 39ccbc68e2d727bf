"""The layouts of published language models, with random weights, through the ordinary loader: each template has its trap."""

import copy
import json
import shutil

import numpy as np
import pytest
import torch
from chat_layouts import WRITERS

from smile import InputError, load_language_model
from smile.models.language_models.sampling import draw_gumbel
from smile.models.protocols import Answer, check_prompts, score_checked, split_checked, write_checked

pytestmark = pytest.mark.model
PROMPTS = [" ".join(("the sun is near the road and the rain is on the way here").split()[:n]) for n in range(15)] + ["Where?"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: write(tmp_path_factory.mktemp("layouts") / name) for name, write in WRITERS.items()}


@pytest.fixture(scope="module")
def models(folders):
    return {name: load_language_model(str(folder), max_tokens=8) for name, folder in folders.items()}


def names_of(model, prompt):
    return model.tokenizer.convert_ids_to_tokens(model.read(prompt))


def score_slowly(model, row, answer):
    """One forward pass for each token of the answer, nothing padded."""
    found = []
    for token in answer:
        with torch.inference_mode():
            logits = model.model(torch.tensor([row])).logits[0, -1].double()
        found.append((logits[token] - logits.logsumexp(0)).item())
        row = [*row, token]
    return found


@pytest.mark.parametrize("name", WRITERS)
def test_it_writes_and_scores_what_it_wrote(name, models):
    model = models[name]
    answers = write_checked(model, PROMPTS, 0)
    assert all(isinstance(answer, Answer) and len(answer.ids) <= 8 for answer in answers)
    assert write_checked(model, PROMPTS[::-1], 0)[::-1] == answers, "an answer follows from its prompt and seed"
    answer = answers[3]
    tokens = split_checked(model, answer)
    scores = score_checked(model, PROMPTS, answer)
    assert scores.shape == (len(PROMPTS), len(tokens)) == (len(PROMPTS), len(answer.ids))
    assert (tokens[-1] == "") == answer.ended
    slowly = [score_slowly(model, list(model.read(PROMPTS[i])), answer.ids) for i in (0, 3, 14)]
    assert scores[[0, 3, 14]] == pytest.approx(np.array(slowly), abs=1e-4)
    # The likeliest token each time: what it wrote is likelier, token by token, than any other.
    row = [*model.read(PROMPTS[3]), *answer.ids[:-1]]
    with torch.inference_mode():
        best = model.model(torch.tensor([row])).logits[0, -len(answer.ids) :].argmax(1)
    assert best.tolist() == list(answer.ids), "its own settings would sample"


@pytest.mark.parametrize("name", WRITERS)
def test_batches_agree(name, models):
    prompts = [f"{a} {b}" for a in PROMPTS[:8] for b in ("now", "then", "the road", "?")]
    whole = models[name].score(prompts, "the road is dry")
    for size in (1, 8):
        parts = [models[name].score(prompts[i : i + size], "the road is dry") for i in range(0, len(prompts), size)]
        assert np.abs(np.concatenate(parts) - whole).max() < 1e-4


@pytest.mark.parametrize("name", WRITERS)
def test_parts_of_an_answer_are_scored_after_what_stands_before(name, models):
    model = models[name]
    answer = Answer("", model.chat.encode_answer("the sun. the road is dry.", True))
    answer = Answer("".join(model.split(answer)), answer.ids)
    tokens = model.split(answer)
    cut = tokens.index(".") + 1
    first, second = answer.cut(tokens, 0, cut), answer.cut(tokens, cut, len(tokens))
    assert (str(first), str(second), first.ended, second.ended) == ("the sun.", " the road is dry.", False, True)
    whole = model.score(["now", "here"], answer)
    parts = [model.score(["now", "here"], first), model.score(["now", "here"], second, given=[first, first])]
    assert np.concatenate(parts, axis=1) == pytest.approx(whole, abs=1e-5)
    plain = model.score(["now", "here"], " the road is dry.", given=["the sun.", "the sun."])
    assert plain == pytest.approx(whole[:, cut:-1], abs=1e-5), "plain text has the same tokens, and a part has no end"
    mixed = model.score(["now", "now"], second, given=[None, str(first)])
    assert mixed[1] == pytest.approx(parts[1][0], abs=1e-5) and np.abs(mixed[0] - mixed[1]).max() > 1e-3


def test_llama_begins_once_and_knows_no_today(models, folders):
    names = names_of(models["llama3"], "the sun")
    assert names.count("<|begin_of_text|>") == 1 and names[0] == "<|begin_of_text|>"
    assert models["llama3"].tokenizer("a").input_ids[0] == models["llama3"].read("")[0], "the tokenizer would add another"
    assert "Today Date: 26 Jul 2024" in models["llama3"].describe()["before"]
    assert models["llama3"].tokenizer.pad_token is None


def test_a_clock_that_the_template_asks_is_stopped(models, folders, tmp_path):
    shutil.copytree(folders["llama3"], tmp_path / "clock")
    template = (tmp_path / "clock" / "chat_template.jinja").read_text()
    (tmp_path / "clock" / "chat_template.jinja").write_text(template.replace("+ date_string +", "+ strftime_now('%d %b') +"))
    assert "Today Date: 26 Jul 2024" in load_language_model(str(tmp_path / "clock")).describe()["before"]


def test_qwen_does_not_think_first(models):
    assert models["qwen3"].describe()["after"].endswith("<think>\n\n</think>\n\n")
    assert models["qwen3"].chat.end == models["qwen3"].tokenizer.convert_tokens_to_ids("<|im_end|>")


def test_smollm_shows_the_system_prompt_that_it_inserts(models):
    assert "You are a helpful AI assistant named SmolLM" in models["smollm"].describe()["before"]


def test_gemma_has_no_system_role_and_ends_a_turn(models):
    assert names_of(models["gemma"], "the road")[:2] == ["<bos>", "<start_of_turn>"]
    end = models["gemma"].tokenizer.convert_tokens_to_ids("<end_of_turn>")
    assert models["gemma"].chat.end == end != models["gemma"].tokenizer.eos_token_id
    assert models["gemma"].chat.encode_answer("the", True)[-1] == end


def test_gpt2_has_no_template_and_no_padding_token(models):
    assert models["gpt2"].describe() == {"template": False, "before": "", "after": ""}
    assert models["gpt2"].tokenizer.pad_token is None
    assert names_of(models["gpt2"], "") == ["<|endoftext|>"], "the empty prompt has a token to go on from"


@pytest.mark.parametrize("name", WRITERS)
def test_prompts_it_cannot_read_are_named(name, models):
    model = models[name]
    mark = model.tokenizer.convert_ids_to_tokens([model.chat.end])[0]
    with pytest.raises(InputError, match="meaning of its own"):
        check_prompts(model, ["fine", f"the sun {mark} is"])
    with pytest.raises(InputError, match="meaning of its own"):
        model.write([f"a{mark}b"], seed=0)
    words = [f"w{i}" for i in range(300)]
    with pytest.raises(InputError, match="too long for .* words from “w[0-9]+” on would be lost"):
        check_prompts(model, [" ".join(words)])
    lost = model.lost_words(" ".join(words))
    kept = " ".join(words[: len(words) - len(lost)])
    assert words[-len(lost) :] == lost and model.lost_words(kept) == [] and model.lost_words(f"{kept} {lost[0]}") == [lost[0]]
    with pytest.raises(InputError, match="no tokens"):
        model.score(["a"], "", given=["b"])
    with pytest.raises(InputError, match="reads 256; shorten"):
        model.score(["a"], "the road " * 200)


def test_what_is_no_language_model_is_refused(tmp_path, folders, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("", "  ", None, 7, "a\0b"):
        with pytest.raises(InputError):
            load_language_model(name)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="complete language model weights"):
        load_language_model(str(tmp_path / "empty"))
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "config.json").write_text(json.dumps({"model_type": "clip"}))
    with pytest.raises(InputError, match="a clip model, which writes no text"):
        load_language_model(str(tmp_path / "clip"))
    for settings in (
        {"temperature": 3},
        {"temperature": float("nan")},
        {"max_tokens": 0},
        {"max_tokens": 1.5},
        {"temperature": "a"},
    ):
        with pytest.raises(InputError, match="The setting"):
            load_language_model(str(folders["gpt2"]), **settings)


def test_code_that_comes_with_weights_is_not_run(tmp_path, folders):
    folder = shutil.copytree(folders["gpt2"], tmp_path / "own")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text("raise SystemExit('it was run')\n")
    with pytest.raises(InputError, match="complete language model weights"):
        load_language_model(str(folder))


def test_a_template_that_cannot_be_used_is_a_sentence(tmp_path, folders):
    for template, message in (("{{ nothing.at.all }}", "cannot be used"), ("Hello", "leaves the user's message out")):
        folder = shutil.copytree(folders["qwen3"], tmp_path / message[:6])
        (folder / "chat_template.jinja").write_text(template)
        with pytest.raises(InputError, match=message):
            load_language_model(str(folder))


def test_numbers_that_overflow_are_no_answer(folders):
    model = load_language_model(str(folders["gpt2"]), max_tokens=4)
    with torch.no_grad():
        model.model.transformer.wte.weight[model.tokenizer("z").input_ids[0]] = torch.nan
    assert model.write(["the sun"], seed=0) == [None]
    with pytest.raises(InputError, match="finite"):
        score_checked(model, ["the sun"], "the")


def test_noise_is_common_and_draws_from_the_model(models):
    model = models["gpt2"].with_settings(temperature=1.0, max_tokens=6)
    assert models["gpt2"].settings["temperature"] == 0.0
    first = model.write(["the sun", "the", "the road is", "the sun"], seed=5)
    assert first[0] == first[3] and first == model.write(["the sun", "the", "the road is", "the sun"], seed=5)
    assert model.write(["the sun"], seed=5)[0] == first[0], "no other row of the batch has a part in it"
    assert len({model.write(["the sun"], seed=seed)[0] for seed in range(4)}) > 1
    # Gumbel-max: over seeds, the largest of log p + g is i with probability p[i].
    chances = np.array([0.5, 0.3, 0.15, 0.05])
    drawn = [(torch.tensor(chances).log() + draw_gumbel(seed, 3, 4)).argmax().item() for seed in range(4000)]
    assert np.bincount(drawn, minlength=4) / 4000 == pytest.approx(chances, abs=0.03)
    assert torch.equal(draw_gumbel(1, 2, 9), draw_gumbel(1, 2, 9)) and not torch.equal(
        draw_gumbel(1, 2, 9), draw_gumbel(1, 3, 9)
    )


def test_the_logits_of_one_pass_are_bounded(models, monkeypatch):
    """At the vocabulary and size of Qwen3-0.6B in float32."""
    model = models["qwen3"]
    config = model.model.config
    monkeypatch.setattr(config, "vocab_size", 151_936)
    monkeypatch.setattr(config, "intermediate_size", 3072)
    monkeypatch.setattr(model.model, "get_memory_footprint", lambda: int(2.4e9))
    rows = model._choose_rows(120, 32)
    assert 4 * 3 * 32 * 151_936 * rows <= 0.2 * 2.4e9 and rows >= 4


def test_less_at_a_time_where_memory_is_short(models, monkeypatch):
    model = copy.copy(models["gpt2"])
    score = model._score_batch

    def fail(rows, target):
        if len(rows) > 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return score(rows, target)

    monkeypatch.setattr(model, "_score_batch", fail)
    assert model.score(PROMPTS, "the") == pytest.approx(models["gpt2"].score(PROMPTS, "the"), abs=1e-5)
    monkeypatch.setattr(model, "_score_batch", lambda rows, target: fail(rows * 4, target))
    with pytest.raises(InputError, match="does not fit into the memory"):
        model.score(PROMPTS, "the")
