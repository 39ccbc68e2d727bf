"""The same edits by diffusers' own pipeline and by ours, before they are rounded to bytes."""

import numpy as np
import torch


def put_channels_first(editor):
    """The editor with its weights in the memory layout in which torch loads them."""
    for model in (editor.pipeline.unet, editor.pipeline.vae):
        model.to(memory_format=torch.contiguous_format)
    return editor


def run_pipeline(editor, picture, text, **options):
    """The edit of one text by the pipeline itself, with the editor's settings: a picture, or as `options` say."""
    return editor.pipeline(
        text,
        image=picture,
        num_inference_steps=editor.settings["steps"],
        guidance_scale=editor.settings["guidance"],
        image_guidance_scale=editor.settings["image_guidance"],
        generator=torch.Generator("cpu").manual_seed(0),
        **options,
    ).images[0]


def decode_by_pipeline(editor, picture, texts) -> np.ndarray:
    """(n, 3, h, w) in [0, 1] by diffusers' own steps, one text at a time."""
    return torch.stack([run_pipeline(editor, picture, text, output_type="pt") for text in texts]).numpy()


def decode_by_ours(editor, picture, texts, batch: int = 8) -> np.ndarray:
    """(n, 3, h, w) in [0, 1] by ours, `batch` texts at a time."""
    kept, decode, editor.memory.batch_size = [], editor.pipeline.vae.decode, batch
    editor.pipeline.vae.decode = lambda latents, **options: kept.append(decode(latents, **options)) or kept[-1]
    try:
        editor.edit(picture, texts, seed=0)
    finally:
        del editor.pipeline.vae.decode
    return (torch.cat([each[0] for each in kept]) / 2 + 0.5).clamp(0, 1).numpy()
