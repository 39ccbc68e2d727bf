"""The bundled models' architectures: the classes of the full-size models at toy size, with random weights.

Only sizes differ from what `from_pretrained` loads for the published weights, so the toy runs through exactly the code
that runs the real thing.
"""

from __future__ import annotations

from pathlib import Path

from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMScheduler,
    StableDiffusionInpaintPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import BitImageProcessorPil, CLIPTextConfig, CLIPTextModel, Dinov2Config, Dinov2Model

from smile.models.editors.checkpoint import save_checkpoint
from smile.models.editors.turbo import Turbo
from smile.toyroad.scene import SIZE

TEXT_WIDTH = 128
TOKENS = 77  # CLIP's length


def vae() -> AutoencoderKL:
    """128 x 128 x 3 to 16 x 16 x 4. No attention: a scene is local, and convolutions are what a CPU does well."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(32, 32, 64, 96),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=SIZE,
        mid_block_add_attention=False,
    )


def text_encoder(vocabulary: int, bos: int, eos: int) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=TEXT_WIDTH,
            intermediate_size=4 * TEXT_WIDTH,
            projection_dim=TEXT_WIDTH,
            num_hidden_layers=4,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            bos_token_id=bos,
            eos_token_id=eos,
            pad_token_id=eos,
        )
    )


def unet(in_channels: int) -> UNet2DConditionModel:
    """Input channels: 4 for the latents that are denoised; 4 more for the picture's own (Instruct-Pix2Pix, arXiv
    2211.09800, section 3.2); 1 more for inpainting's region."""
    return UNet2DConditionModel(
        sample_size=SIZE // 8,
        in_channels=in_channels,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(64, 96, 128),
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def scheduler() -> DDIMScheduler:
    """v-prediction with zero terminal SNR: with epsilon the colours of night and sunset drift."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
    )


def turbo(vae, unet) -> Turbo:
    """One step at t = 999. v-prediction again: there a guess of the noise would be multiplied by 15."""
    scheduler = DDPMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=False,
    )
    return Turbo(vae, unet, scheduler)


def embedder() -> Dinov2Model:
    """8-pixel patches: 16 x 16 of them see where a word acts."""
    return Dinov2Model(
        Dinov2Config(
            hidden_size=96,
            num_hidden_layers=6,
            num_attention_heads=4,
            mlp_ratio=3,
            image_size=SIZE,
            patch_size=8,
        )
    )


# How they are written. UNets, most of all weights, are kept in half precision, in files under 10 MB.

PART = "8MB"
UNCHECKED = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}


def save_editor(kind, folder: Path, unet, scheduler, vae, encoder, tokenizer, *, shared: bool) -> None:
    """A diffusers folder for a pipeline of class `kind`; with `shared`, without the VAE, text encoder and tokenizer, which
    all our editors have in common and which only one folder holds."""
    parts = {"unet": unet.cpu().half(), "scheduler": scheduler, "vae": vae.cpu(), "text_encoder": encoder.cpu()}
    pipeline = kind(**parts, tokenizer=tokenizer, **UNCHECKED)
    if shared:
        pipeline.save_config(folder)
        pipeline.unet.save_pretrained(folder / "unet", max_shard_size=PART)
        pipeline.scheduler.save_pretrained(folder / "scheduler")
    else:
        pipeline.save_pretrained(folder, max_shard_size=PART)


def save_instruct_pix2pix(folder: Path, unet, scheduler, base) -> None:
    save_editor(StableDiffusionInstructPix2PixPipeline, folder, unet, scheduler, *base, shared=False)


def save_inpaint(folder: Path, unet, scheduler, base) -> None:
    save_editor(StableDiffusionInpaintPipeline, folder, unet, scheduler, *base, shared=True)


def save_turbo(folder: Path, turbo: Turbo, base) -> None:
    """SD-Turbo's layout, and the skip convolutions as a checkpoint, as the authors publish theirs."""
    skips = {f"decoder.skip_conv_{i}.weight": skip.weight.detach().cpu() for i, skip in enumerate(turbo.skips, 1)}
    save_editor(StableDiffusionPipeline, folder, turbo.unet, turbo.scheduler, *base, shared=True)
    save_checkpoint(folder / "checkpoint.safetensors", unet={}, vae=skips)


def save_embedder(folder: Path, module, mean, std) -> None:
    module.cpu().save_pretrained(folder)
    BitImageProcessorPil(
        do_resize=True, size={"height": SIZE, "width": SIZE}, do_center_crop=False, do_rescale=True,
        do_normalize=True, image_mean=list(mean), image_std=list(std), resample=3, do_convert_rgb=True,
    ).save_pretrained(folder)  # fmt: skip
