"""Tiny random models of the editors that people use today, each saved by `save_pretrained` as its repository is laid out."""

import json

import diffusers
import torch
from tiny import byte_tokenizer

CHAT = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n' }}{% endif %}"
)
XL = {
    "instruct-pix2pix": (diffusers.StableDiffusionXLInstructPix2PixPipeline, 8),
    "inpaint": (diffusers.StableDiffusionXLInpaintPipeline, 9),
}
EULER = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
PICTURES = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")


def qwen_tokenizer(*, chat=True, **options):
    """Qwen's byte-level tokenizer without merges: every byte is a token."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2TokenizerFast

    vocab = {letter: i for i, letter in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = Qwen2TokenizerFast(vocab=vocab, merges=[], model_max_length=131072, **options)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>", *PICTURES]})
    if chat:
        tokenizer.chat_template = CHAT
    return tokenizer


def flux_vae():
    """FLUX.1's VAE: no quantising convolutions, a shift."""
    return diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(4, 4, 4, 4), norm_num_groups=2, layers_per_block=1, latent_channels=4, use_quant_conv=False,
        use_post_quant_conv=False, shift_factor=0.06, scaling_factor=1.5, mid_block_add_attention=False,
    )  # fmt: skip


def flow_scheduler():
    """FLUX's and Qwen's: the shift depends on the picture's size."""
    return diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)


def clip_config(tokenizer, **options):
    """A CLIP text encoder's configuration."""
    from transformers import CLIPTextConfig

    return CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, initializer_factor=20.0, **options,
    )  # fmt: skip


def flux_parts(channels: int) -> dict:
    """What FLUX.1 Kontext and FLUX.1 Fill share: CLIP for the whole text, T5 for its words."""
    from transformers import CLIPTextModel, T5Config, T5EncoderModel, T5TokenizerFast

    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    letters = [(letter, -1.0) for letter in "▁abcdefghijklmnopqrstuvwxyz"]
    words = T5TokenizerFast(vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *letters], model_max_length=512, extra_ids=0)
    return {
        "scheduler": flow_scheduler(),
        "vae": flux_vae(),
        "text_encoder": CLIPTextModel(clip_config(tokenizer)),
        "tokenizer": tokenizer,
        "text_encoder_2": T5EncoderModel(
            T5Config(vocab_size=len(words), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, initializer_factor=20.0)
        ),
        "tokenizer_2": words,
        "transformer": diffusers.FluxTransformer2DModel(
            patch_size=1, in_channels=channels, out_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=1, joint_attention_dim=16, pooled_projection_dim=16, axes_dims_rope=(4, 4, 8),
            guidance_embeds=True,
        ),
    }  # fmt: skip


def kontext_folder(folder):
    diffusers.FluxKontextPipeline(**flux_parts(16)).save_pretrained(folder)
    return folder


def fill_folder(folder):
    """Its transformer sees latents (4 channels), the picture without the region (4) and the region's 8 x 8 pixels (64)."""
    diffusers.FluxFillPipeline(**flux_parts(4 * (4 + 4 + 64))).save_pretrained(folder)
    return folder


def klein_folder(folder, distilled=True, cls=diffusers.Flux2KleinPipeline):
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    text = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=27, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, initializer_range=0.5, max_position_embeddings=40960,
    )  # fmt: skip
    cls(
        scheduler=flow_scheduler(),
        vae=diffusers.AutoencoderKLFlux2(
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(4, 4, 4, 4), norm_num_groups=2, layers_per_block=1, latent_channels=4,
            mid_block_add_attention=False,
        ),
        text_encoder=Qwen3ForCausalLM(text),
        tokenizer=tokenizer,
        transformer=diffusers.Flux2Transformer2DModel(
            patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=1,
            joint_attention_dim=48, timestep_guidance_channels=16, axes_dims_rope=(4, 4, 4, 4), guidance_embeds=False,
        ),
        is_distilled=distilled,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def qwen_folder(folder, cls=diffusers.QwenImageEditPlusPipeline):
    """Its processor is written by hand, because transformers' own needs torchvision even to be made."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2VLImageProcessorPil

    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    names = ("vision_start_token_id", "vision_end_token_id", "image_token_id", "video_token_id")
    ids = dict(zip(names, tokenizer.convert_tokens_to_ids(list(PICTURES)), strict=True))
    rope = {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default", "rope_theta": 1e4}
    text = Qwen2_5_VLConfig(
        text_config={"vocab_size": len(tokenizer), "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
                     "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 4096,
                     "initializer_range": 0.5, "rope_parameters": rope},
        vision_config={"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16},
        **ids, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    cls(
        scheduler=flow_scheduler(),
        vae=diffusers.AutoencoderKLQwenImage(
            base_dim=4, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1, latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
        ),
        text_encoder=Qwen2_5_VLForConditionalGeneration(text),
        tokenizer=tokenizer,
        processor=None,
        transformer=diffusers.QwenImageTransformer2DModel(
            patch_size=2, in_channels=16, out_channels=4, num_layers=1, attention_head_dim=16, num_attention_heads=1,
            joint_attention_dim=16, axes_dims_rope=(4, 6, 6),
        ),
    ).save_pretrained(folder)  # fmt: skip
    Qwen2VLImageProcessorPil().save_pretrained(folder / "processor")
    tokenizer.save_pretrained(folder / "processor")
    index = json.loads((folder / "model_index.json").read_text()) | {"processor": ["transformers", "Qwen2VLProcessor"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def xl_folder(folder, name):
    """A tiny SDXL folder: two text encoders, and time ids beside the pooled text."""
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    torch.manual_seed(0)
    pipeline, channels = XL[name]
    tokenizer = byte_tokenizer()
    text = clip_config(tokenizer, projection_dim=16)
    small = {"norm_num_groups": 4, "layers_per_block": 1}
    pipeline(
        vae=diffusers.AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(8, 8, 16, 16), **small,
        ),
        unet=diffusers.UNet2DConditionModel(
            in_channels=channels, sample_size=4, block_out_channels=(8, 16), cross_attention_dim=32, attention_head_dim=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=4,
            projection_class_embeddings_input_dim=6 * 4 + 16, **small,
        ),
        text_encoder=CLIPTextModel(text),
        text_encoder_2=CLIPTextModelWithProjection(text),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        scheduler=diffusers.EulerDiscreteScheduler(**EULER),
    ).save_pretrained(folder)  # fmt: skip
    (folder / "editor.json").write_text(json.dumps({"steps": 2, "guidance": 3.0}))
    return folder
