"""The bundled models' architectures: the classes of the full-size models at toy size, with random weights.

Only sizes differ from what `from_pretrained` loads for the published weights, so the toy runs through exactly the code
that runs the real thing.
"""

from __future__ import annotations

from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, Dinov2Config, Dinov2Model

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


def unet(in_channels: int = 8) -> UNet2DConditionModel:
    """8 input channels: the noisy latents and the picture's own (Instruct-Pix2Pix, arXiv 2211.09800, section 3.2)."""
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
