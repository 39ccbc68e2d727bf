"""Img2Img-Turbo's checkpoints: what fine-tuning changed in SD-Turbo, as the authors publish it, and how it is merged.

A checkpoint holds, for the UNet and for the VAE, whole weights by name and low-rank updates (LoRA, arXiv 2106.09685) as
pairs of factors. Both are written into the base's own weights, so nothing is patched while the model runs.
"""

import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import numpy as np
import torch

from smile.errors import InputError
from smile.io.atomic import write_file
from smile.models.hub import silence_libraries

ALPHA = 8  # peft's default, which the published LoRAs were trained with: their updates count 8 / rank
SUFFIXES = (".pkl", ".safetensors")
PARTS = ("unet", "vae")
# What a number of NumPy's is pickled as, under the names of its first and its second version.
NUMBERS: list[Any] = [
    np.dtype,
    *{type(np.dtype(kind)) for kind in ("int32", "int64", "float32", "float64")},
    *((np.float64(0).__reduce__()[0], f"numpy.{room}.multiarray.scalar") for room in ("core", "_core")),
]


@dataclass(frozen=True)
class Checkpoint:
    """What one file holds, each by part ("unet", "vae")."""

    name: str
    weights: dict[str, dict[str, torch.Tensor]]
    rank: dict[str, int]  # of the LoRA; 0 without one

    @property
    def stochastic(self) -> bool:
        """Whether it was trained to mix its input with noise, and so has two input convolutions to mix likewise."""
        return any(key.startswith("conv_in.conv_in_curr.") for key in self.weights["unet"])


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in a `.safetensors` file or a pickle, of which only tensors, numbers, lists, sets and dicts are read.

    As in the authors' own loader, a rank may be a tensor or a NumPy number, and other entries beside ours are not looked at.
    Raises InputError where there is any other kind of object in it, anything missing, or it is damaged.
    """
    try:
        checkpoint = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
        for key, value in (item for part in PARTS for item in checkpoint.weights[part].items()):
            if not (isinstance(key, str) and isinstance(value, torch.Tensor) and value.is_floating_point()):
                raise TypeError(key)
        if not all(type(rank) is int and rank >= 0 for rank in checkpoint.rank.values()):
            raise TypeError(checkpoint.rank)
    except Exception as error:  # a damaged or hostile file can make its reader raise anything
        raise InputError(
            f"{path} is not an Img2Img-Turbo checkpoint, which holds plain tensors, numbers and lists only, or it is "
            "damaged; delete it and get it again."
        ) from error
    return checkpoint


def _read_pickle(path: Path) -> Checkpoint:
    with torch.serialization.safe_globals(NUMBERS):
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict):
        raise TypeError(content)
    for part in PARTS:  # which modules have a LoRA is told by the factors themselves; one without is left as it is
        ends = content[f"{part}_lora_target_modules"]
        if not (isinstance(ends, (list, set, tuple, frozenset)) and all(isinstance(end, str) for end in ends)):
            raise TypeError(ends)
    rank = {part: _read_whole(content[f"rank_{part}"]) for part in PARTS}
    return Checkpoint(path.name, {part: content[f"state_dict_{part}"] for part in PARTS}, rank)


def _read_whole(number: Any) -> int:
    """A whole number, which may be a tensor or NumPy's. Raises TypeError for any other value."""
    value = number.item() if isinstance(number, (torch.Tensor, np.number)) else number
    if isinstance(value, bool) or int(value) != value:
        raise TypeError(number)
    return int(value)


def _read_safetensors(path: Path) -> Checkpoint:
    from safetensors import safe_open

    weights: dict[str, dict[str, torch.Tensor]] = {part: {} for part in PARTS}
    with safe_open(path, framework="pt") as file:
        rank = {part: int(file.metadata()[f"rank_{part}"]) for part in PARTS}
        for key in file.keys():  # noqa: SIM118 - the file is no dict
            part, _, rest = key.partition(".")
            weights[part][rest] = file.get_tensor(key)
    return Checkpoint(path.name, weights, rank)


def save_checkpoint(path: str | Path, *, unet: dict, vae: dict, rank_unet: int = 0, rank_vae: int = 0) -> None:
    """Write a checkpoint as safetensors. `unet` and `vae`: tensors by the names that the published pickles use, the
    skip convolutions as `decoder.skip_conv_1.weight` to `_4` of the VAE. A rank of 0 says that there is no LoRA."""
    from safetensors.torch import save_file

    both = {"unet": unet, "vae": vae}
    tensors = {f"{part}.{key}": both[part][key].detach().cpu().contiguous() for part in PARTS for key in both[part]}
    save_file(tensors, path, metadata={"rank_unet": str(rank_unet), "rank_vae": str(rank_vae)})


@torch.no_grad()
def merge_checkpoint(checkpoint: Checkpoint, part: str, own: dict[str, torch.Tensor], gamma: float = 1.0) -> None:
    """Write the checkpoint's `part` into `own`, the base's float32 tensors by name, in place.

    `gamma` in (0, 1] scales the LoRA updates, and mixes the two input convolutions of a stochastic checkpoint: a sum of
    convolutions is the convolution with the summed weights. Raises InputError, naming the first weight concerned, where
    checkpoint and base do not fit: a name or shape that the base has not, or a LoRA of another rank than the checkpoint
    says. A module without a LoRA keeps its weights, whether the checkpoint lists it or not.
    """

    def refuse(key: str, why: str) -> NoReturn:
        raise InputError(f"{checkpoint.name} is no checkpoint for this base: in its {part}, {key} {why}.")

    # 1. The two input convolutions of a stochastic checkpoint become one.
    left, rank = dict(checkpoint.weights[part]), checkpoint.rank[part]
    for kind in ("weight", "bias"):
        twins = [f"conv_in.conv_in_{which}.{kind}" for which in ("pretrained", "curr")]
        if all(twin in left for twin in twins):
            pretrained, current = (left.pop(twin).float() for twin in twins)
            if pretrained.shape != current.shape:
                refuse(twins[1], "has another shape than its twin")
            left[f"conv_in.{kind}"] = (1 - gamma) * pretrained + gamma * current

    # 2. The LoRA's factors, checked against the base's weights.
    factors = {}
    for key in [key for key in left if ".lora_A." in key]:
        module = key.partition(".lora_A.")[0]
        a, b = left.pop(key), left.pop(key.replace(".lora_A.", ".lora_B."), None)
        weight = own.get(f"{module}.weight")
        if weight is None or b is None:
            refuse(key, "has no counterpart")
        if not a.ndim == b.ndim == weight.ndim or a.shape[1:] != weight.shape[1:] or b.shape[0] != weight.shape[0]:
            refuse(key, "has another shape")
        if not 0 < rank == a.shape[0] == b.flatten(1).shape[1]:
            refuse(key, f"is not of rank {rank}")
        factors[module] = a.flatten(1).float(), b.flatten(1).float()

    # 3. Whole weights replace the base's.
    for key, value in left.items():  # a module with a LoRA keeps its own weight one level down
        name = key.replace(".base_layer.", ".")
        if name not in own:
            refuse(key, "has no counterpart")
        if own[name].shape != value.shape:
            refuse(key, "has another shape")
        own[name].copy_(value)

    # 4. Nothing that should be there is missing.
    written = {key.replace(".base_layer.", ".") for key in left}
    for name in own:
        if "skip_conv" in name and name not in written:
            refuse(name, "is missing")

    # 5. The LoRA's updates are added.
    for module, (a, b) in factors.items():
        weight = own[f"{module}.weight"]
        weight += (gamma * ALPHA / rank * (b @ a)).view_as(weight)


def download_checkpoint(url: str) -> Path:
    """The file at `url`, from beside the Hub's cache if it has been downloaded before, else by the Hub's own downloader.

    What is there is whole: a download is moved into place when its length is the announced one. Its SHA-256 may be given, as
    pip takes it (`#sha256=...` at the end); in any case that of the first download is kept beside the file, and every later use
    is checked against both. Raises InputError, in one sentence, where the file is not to be had, or is another one.
    """
    from huggingface_hub import constants
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import WeakFileLock, httpx  # whichever client the Hub uses at present

    url, _, given = url.partition("#sha256=")
    name = re.split("[?#]", url)[0].rpartition("/")[2]
    path = Path(constants.HF_HUB_CACHE) / "img2img-turbo" / f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{name}"
    try:
        if path.is_file():
            return _check_sum(path, given)
        path.parent.mkdir(parents=True, exist_ok=True)
        with silence_libraries(), WeakFileLock(f"{path}.lock"), TemporaryDirectory(dir=path.parent) as folder:
            if not path.is_file():  # of several processes one downloads, and the others find what it brought
                with Path(folder, name).open("wb") as file:
                    http_get(url, file, headers={"Accept-Encoding": "identity"}, displayed_filename=name)
                _compare_sum(Path(file.name), _hash(Path(file.name)), given, "that was given")
                os.replace(file.name, path)
    except InputError:
        raise
    except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise InputError(
            f"The checkpoint {url} is not on this machine and could not be downloaded ({reason}); connect to the network "
            f'and try again, put the file at {path}, or use the bundled weights (weights="bundled").'
        ) from error
    return _check_sum(path, given)


def _check_sum(path: Path, given: str) -> Path:
    """`path`, whose SHA-256 is the given one, if any, and the one written down beside it, if any; else it is written down.
    Raises InputError."""
    found = _hash(path)
    beside = path.with_name(f"{path.name}.sha256")
    known = beside.read_text(encoding="ascii", errors="replace").strip() if beside.is_file() else ""
    _compare_sum(path, found, given, "that was given")
    _compare_sum(path, found, known, "of the first download")
    if not known:
        with suppress(OSError):  # a folder that is read-only, as in an image
            write_file(beside, f"{found}\n")
    return path


def _compare_sum(path: Path, found: str, expected: str, whose: str) -> None:
    if expected and found != expected.lower():
        raise InputError(f"{path} has not the SHA-256 {whose}; it was changed or is damaged: delete it and get it again.")


def _hash(path: Path) -> str:
    known = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):
            known.update(part)
    return known.hexdigest()
