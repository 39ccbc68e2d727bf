"""Published repositories rebuilt with random weights: their folders, file names, configurations, schedulers and names of
weights, as they lie on the Hub, at dimensions small or whole (then in half precision).

Written by hand and not by `save_pretrained`, because the repositories were written by libraries that are years older than
those that read them now.
"""

import json

TINY = {
    "unet": {"block_out_channels": [8, 16, 16, 16], "cross_attention_dim": 16, "norm_num_groups": 4, "layers_per_block": 1,
             "attention_head_dim": 4},
    "vae": {"block_out_channels": [8, 8, 16, 16], "norm_num_groups": 4, "layers_per_block": 1},
    "text_encoder": {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
                     "projection_dim": 16, "vocab_size": 1000},
    "safety_checker": {"projection_dim": 16, "vision_config": {"hidden_size": 16, "intermediate_size": 32,
                       "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}},
    "feature_extractor": {"size": 28, "crop_size": 28},
    "dinov2": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2},
    "clipseg": {"projection_dim": 16, "reduce_dim": 8, "extract_layers": [0, 1, 2], "decoder_num_attention_heads": 2,
                "decoder_intermediate_size": 16,
                "text_config": {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
                                "num_attention_heads": 2, "vocab_size": 1000},
                "vision_config": {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3,
                                  "num_attention_heads": 2, "image_size": 32}},
}  # fmt: skip

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000,
         "clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1, "trained_betas": None}  # fmt: skip
UNET = {
    "_class_name": "UNet2DConditionModel", "act_fn": "silu", "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280], "center_input_sample": False, "cross_attention_dim": 768,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "downsample_padding": 1, "flip_sin_to_cos": True, "freq_shift": 0, "layers_per_block": 2, "mid_block_scale_factor": 1,
    "norm_eps": 1e-05, "norm_num_groups": 32, "out_channels": 4, "sample_size": 64,
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
}  # fmt: skip
VAE = {
    "_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4, "in_channels": 3, "latent_channels": 4, "layers_per_block": 2,
    "norm_num_groups": 32, "out_channels": 3, "sample_size": 256, "up_block_types": ["UpDecoderBlock2D"] * 4,
}  # fmt: skip
TEXT = {
    "architectures": ["CLIPTextModel"], "attention_dropout": 0.0, "bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2,
    "hidden_act": "quick_gelu", "hidden_size": 768, "initializer_factor": 1.0, "initializer_range": 0.02,
    "intermediate_size": 3072, "layer_norm_eps": 1e-05, "max_position_embeddings": 77, "model_type": "clip_text_model",
    "num_attention_heads": 12, "num_hidden_layers": 12, "pad_token_id": 1, "projection_dim": 768, "torch_dtype": "float16",
    "transformers_version": "4.22.0.dev0", "vocab_size": 49408,
}  # fmt: skip
SAFETY = {
    "architectures": ["StableDiffusionSafetyChecker"], "initializer_factor": 1.0, "logit_scale_init_value": 2.6592,
    "model_type": "clip", "projection_dim": 768, "torch_dtype": "float16",
    "text_config": {"model_type": "clip_text_model", "hidden_size": 768, "intermediate_size": 3072,
                    "num_attention_heads": 12, "num_hidden_layers": 12, "bos_token_id": 0, "eos_token_id": 2},
    "text_config_dict": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12},
    "vision_config": {"model_type": "clip_vision_model", "hidden_act": "quick_gelu", "hidden_size": 1024, "image_size": 224,
                      "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24, "patch_size": 14},
}  # fmt: skip
EXTRACTOR = {
    "crop_size": 224, "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True, "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3, "size": 224,
}  # fmt: skip
DINOV2 = {
    "architectures": ["Dinov2Model"], "model_type": "dinov2", "hidden_size": 768, "num_hidden_layers": 12,
    "num_attention_heads": 12, "mlp_ratio": 4, "hidden_act": "gelu", "image_size": 518, "patch_size": 14,
    "num_channels": 3, "qkv_bias": True, "layerscale_value": 1.0, "drop_path_rate": 0.0, "use_swiglu_ffn": False,
    "layer_norm_eps": 1e-06, "torch_dtype": "float32", "transformers_version": "4.31.0.dev0",
}  # fmt: skip
DINOV2_PICTURES = {
    "crop_size": {"height": 224, "width": 224}, "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True,
    "do_rescale": True, "do_resize": True, "image_mean": [0.485, 0.456, 0.406], "image_processor_type": "BitImageProcessor",
    "image_std": [0.229, 0.224, 0.225], "resample": 3, "rescale_factor": 1 / 255, "size": {"shortest_edge": 256},
}  # fmt: skip
CLIPSEG = {
    "architectures": ["CLIPSegForImageSegmentation"], "model_type": "clipseg", "conditional_layer": 0,
    "decoder_attention_dropout": 0.0, "decoder_hidden_act": "quick_gelu", "decoder_intermediate_size": 2048,
    "decoder_num_attention_heads": 4, "extract_layers": [3, 6, 9], "initializer_factor": 1.0,
    "logit_scale_init_value": 2.6592, "projection_dim": 512, "reduce_dim": 64, "torch_dtype": "float32",
    "use_complex_transposed_convolution": True,
    "text_config": {"model_type": "clipseg_text_model", "hidden_size": 512, "intermediate_size": 2048,
                    "num_attention_heads": 8, "num_hidden_layers": 12, "bos_token_id": 0, "eos_token_id": 2},
    "vision_config": {"model_type": "clipseg_vision_model", "hidden_size": 768, "intermediate_size": 3072,
                      "num_attention_heads": 12, "num_hidden_layers": 12, "patch_size": 16, "image_size": 224},
}  # fmt: skip
CLIPSEG_PICTURES = {
    "do_normalize": True, "do_resize": True, "feature_extractor_type": "ViTFeatureExtractor",
    "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 2, "size": 352,
}  # fmt: skip

INSTRUCT_PIX2PIX = {
    "class": "StableDiffusionInstructPix2PixPipeline",
    "extractor": "CLIPImageProcessor",
    "scheduler": ("EulerAncestralDiscreteScheduler", BETAS | {"prediction_type": "epsilon", "skip_prk_steps": True}),
    "unet": UNET | {"in_channels": 8, "_diffusers_version": "0.10.0.dev0"},
    "text_encoder": TEXT,
    "safety_checker": True,
}
INPAINTING = {
    "class": "StableDiffusionInpaintPipeline",
    "extractor": "CLIPFeatureExtractor",
    "scheduler": ("DDIMScheduler", BETAS | {"skip_prk_steps": True}),
    "unet": UNET | {"in_channels": 9, "_diffusers_version": "0.6.0.dev0"},
    "text_encoder": TEXT,
    "safety_checker": True,
}
INPAINTING_2 = {
    "class": "StableDiffusionInpaintPipeline",
    "extractor": "CLIPImageProcessor",
    "scheduler": ("PNDMScheduler", BETAS | {"skip_prk_steps": True}),
    "unet": UNET
    | {"in_channels": 9, "attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024, "use_linear_projection": True,
       "dual_cross_attention": False, "only_cross_attention": False, "num_class_embeds": None,
       "_diffusers_version": "0.8.0"},
    "text_encoder": TEXT
    | {"hidden_act": "gelu", "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16,
       "num_hidden_layers": 23, "projection_dim": 512},
    "pad_token": "!",
    "safety_checker": False,
}  # fmt: skip


def write_pipeline(folder, layout: dict, sizes: dict | None = None, half: bool = False, seed: int = 0):
    """A diffusers repository of this layout in `folder`; `sizes` replaces dimensions (`TINY`), None keeps the real ones."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    sizes = sizes or {}
    text = layout["text_encoder"] | sizes.get("text_encoder", {})
    unet = layout["unet"] | sizes.get("unet", {}) | layout.get("sizes", {})
    index = {
        "_class_name": layout["class"],
        "_diffusers_version": unet["_diffusers_version"],
        "feature_extractor": ["transformers", layout["extractor"]],
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"] if layout["safety_checker"] else [None, None],
        "scheduler": ["diffusers", layout["scheduler"][0]],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    if not layout["safety_checker"]:
        index["requires_safety_checker"] = False
    write_json(folder / "model_index.json", index)
    write_json(folder / "scheduler" / "scheduler_config.json", {"_class_name": layout["scheduler"][0]} | layout["scheduler"][1])
    write_tokenizer(folder / "tokenizer", text["vocab_size"], layout.get("pad_token", "<|endoftext|>"))
    write_json(folder / "feature_extractor" / "preprocessor_config.json", EXTRACTOR | sizes.get("feature_extractor", {}))
    if layout["safety_checker"]:
        write_safety_checker(folder / "safety_checker", sizes, half=half)
    options = {"half": half, "seed": seed}
    config = VAE | sizes.get("vae", {})
    write_model(folder / "vae", config, lambda: AutoencoderKL.from_config(config), old_vae_name, **options)
    write_model(folder / "unet", unet, lambda: UNet2DConditionModel.from_config(unet), None, **options)
    write_model(folder / "text_encoder", text, lambda: CLIPTextModel(CLIPTextConfig(**text)), old_text_name, "model", **options)
    return folder


def write_safety_checker(folder, sizes: dict | None = None, *, flags: bool = False, half: bool = False, alone: bool = False):
    """The safety checker, which flags everything or nothing; `alone`, with its feature extractor, as CompVis published it."""
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig

    change = (sizes or {}).get("safety_checker", {})
    config = SAFETY | change | {"vision_config": SAFETY["vision_config"] | change.get("vision_config", {})}

    def make():
        model = StableDiffusionSafetyChecker(CLIPConfig(**config))
        for name in ("concept_embeds_weights", "special_care_embeds_weights"):  # thresholds on cosines
            getattr(model, name).data.fill_(-2 if flags else 2)
        return model

    write_model(folder, config, make, old_safety_name, "model", half=half, bin_only=alone)
    if alone:
        write_json(folder / "preprocessor_config.json", EXTRACTOR | (sizes or {}).get("feature_extractor", {}))
    return folder


def write_dinov2(folder, sizes: dict | None = None, half: bool = False, **change):
    from transformers import Dinov2Config, Dinov2Model

    config = DINOV2 | change | (sizes or {}).get("dinov2", {})
    write_json(folder / "preprocessor_config.json", DINOV2_PICTURES)
    write_model(folder, config, lambda: Dinov2Model(Dinov2Config(**config)), old_dinov2_name, "model", half=half)
    return folder


def write_clipseg(folder, sizes: dict | None = None, size: int = 352, half: bool = False):
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    change = (sizes or {}).get("clipseg", {})
    config = CLIPSEG | change
    for part in ("text_config", "vision_config"):
        config[part] = CLIPSEG[part] | change.get(part, {})
    write_json(folder / "preprocessor_config.json", CLIPSEG_PICTURES | {"size": size})
    write_tokenizer(folder, config["text_config"].get("vocab_size", 49408), "<|endoftext|>")
    write_model(folder, config, lambda: CLIPSegForImageSegmentation(CLIPSegConfig(**config)), None, "model", half=half)
    return folder


# Names of weights as the repositories have them.


def old_vae_name(name: str) -> str:
    if ".mid_block.attentions." in name:
        for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
            name = name.replace(f".{new}.", f".{old}.")
    return name


def old_text_name(name: str) -> str:
    return "text_model." + name.removeprefix("text_model.")


def old_safety_name(name: str) -> str:
    return name.replace("vision_model.", "vision_model.vision_model.") if name.count("vision_model.") == 1 else name


def old_dinov2_name(name: str) -> str:
    for new, old in (("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value")):
        name = name.replace(f"attention.{new}.", f"attention.attention.{old}.")
    return name.replace("attention.o_proj.", "attention.output.dense.")


# Files.


def write_model(folder, config, make, rename, stem="diffusion_pytorch_model", *, half=False, bin_only=False, seed=0):
    """config.json and the weights, in safetensors; beside them a pickle and a half-precision variant that nobody wants."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    tensors = whole_tensors(make) if half else make().state_dict()
    tensors = {(rename or str)(name): t.contiguous() for name, t in tensors.items()}
    for prefix in ("text_model", "vision_model.vision_model", "clip.text_model", "clip.vision_model"):
        table = tensors.get(f"{prefix}.embeddings.position_embedding.weight")
        if table is not None:  # a buffer then, and in the files to this day
            tensors[f"{prefix}.embeddings.position_ids"] = torch.arange(len(table))[None]
    write_json(folder / "config.json", config)
    pickle = folder / ("pytorch_model.bin" if stem == "model" else f"{stem}.bin")
    if bin_only:
        torch.save(tensors, pickle)
        return
    save_file(tensors, folder / f"{stem}.safetensors", metadata={"format": "pt"})
    if not half:
        pickle.write_bytes(b"not what is read")
        other = {name: torch.zeros_like(t).half() if t.is_floating_point() else t for name, t in tensors.items()}
        save_file(other, folder / f"{stem}.fp16.safetensors", metadata={"format": "pt"})


def whole_tensors(make) -> dict:
    """Half-precision weights that keep activations in range, without ever making the model, which would take minutes."""
    import torch

    with torch.device("meta"):
        shapes = {name: t.shape for name, t in make().state_dict().items()}
    tensors = {}
    for name, shape in shapes.items():
        if name.endswith("embeds_weights"):  # the safety checker's thresholds: flags nothing
            tensors[name] = torch.full(shape, 2.0).half()
        elif len(shape) < 2:  # norms and biases
            tensors[name] = torch.full(shape, float(name.endswith(("weight", "lambda1")))).half()
        else:
            tensors[name] = torch.randn(shape, dtype=torch.float16) * shape[1:].numel() ** -0.5
    return tensors


def write_tokenizer(folder, vocabulary: int, pad_token: str):
    """CLIP's byte-level tokenizer without merges, filled up to its size with entries that no text produces."""
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    entries = [*letters, *(letter + "</w>" for letter in letters)]
    entries += [f"unused{i}" for i in range(vocabulary - len(entries) - 2)] + ["<|startoftext|>", "<|endoftext|>"]
    write_json(folder / "vocab.json", {entry: i for i, entry in enumerate(entries)})
    (folder / "merges.txt").write_text("#version: 0.2\n")

    def added(content):
        return {"content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}

    special = {"bos_token": added("<|startoftext|>"), "eos_token": added("<|endoftext|>"),
               "unk_token": added("<|endoftext|>")}  # fmt: skip
    write_json(folder / "special_tokens_map.json", special | {"pad_token": pad_token})
    write_json(
        folder / "tokenizer_config.json",
        {name: {"__type": "AddedToken"} | token for name, token in special.items()}
        | {"add_prefix_space": False, "do_lower_case": True, "errors": "replace", "model_max_length": 77,
           "pad_token": pad_token, "special_tokens_map_file": "./special_tokens_map.json",
           "tokenizer_class": "CLIPTokenizer"},
    )  # fmt: skip


def write_json(path, held):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(held, indent=2) + "\n")


def use_cache(hub, monkeypatch) -> None:
    """Let the Hub's client have `hub` for its cache, and no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def in_cache(hub, repository: str):
    """The folder of `repository`'s one revision in the Hub cache `hub`, as its client lays it out."""
    revision = "0" * 39 + "1"
    place = hub / f"models--{repository.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(revision)
    (place / "snapshots" / revision).mkdir(parents=True)
    return place / "snapshots" / revision
