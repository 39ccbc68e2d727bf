"""The pictures that Qwen's vision-language models read beside a text.

transformers' own processor for them reads videos, too, and needs torchvision for those; for pictures it does not.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROCESSORS = ("Qwen2VLProcessor", "Qwen2_5_VLProcessor")
PICTURE = "<|image_pad|>"  # stands for the picture's features, and is repeated as often as there are any


def load_processor(folder: Path, index: Mapping[str, Any]) -> dict[str, Any]:
    """{name: processor} for the part of a pipeline that is such a processor; {} without one."""
    names = [name for name, entry in index.items() if isinstance(entry, (list, tuple)) and entry[-1] in PROCESSORS]
    if not names or not (folder / names[0]).is_dir():
        return {}
    from transformers import AutoTokenizer, Qwen2VLImageProcessorPil

    place = str(folder / names[0])
    images, tokenizer = Qwen2VLImageProcessorPil.from_pretrained(place), AutoTokenizer.from_pretrained(place)
    return {names[0]: PictureProcessor(images, tokenizer)}


class PictureProcessor:
    """`processor(text, images)`: tokens of texts, and the patches of the pictures that are named in them in turn."""

    def __init__(self, image_processor: Any, tokenizer: Any):
        self.image_processor, self.tokenizer = image_processor, tokenizer

    def __call__(self, text: list[str], images: Any = None, padding: bool = True, return_tensors: str = "pt") -> Any:
        """A `BatchFeature`: input_ids and attention_mask (n, tokens), pixel_values (patches, d), image_grid_thw (n, 3)."""
        from transformers import BatchFeature

        if images is None:
            return BatchFeature(dict(self.tokenizer(text, padding=padding, return_tensors=return_tensors)))
        seen = self.image_processor(images=images, return_tensors=return_tensors)
        counts = [int(grid.prod()) // self.image_processor.merge_size**2 for grid in seen["image_grid_thw"]]
        filled = []
        for each in text:
            parts = each.split(PICTURE)
            filled.append(parts[0] + "".join(PICTURE * n + part for n, part in zip(counts, parts[1:], strict=False)))
        return BatchFeature(dict(self.tokenizer(filled, padding=padding, return_tensors=return_tensors)) | dict(seen))
