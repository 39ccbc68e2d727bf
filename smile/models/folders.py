"""Folders of weights as people have them: fetched from the Hub, looked through before anything is loaded, loaded by parts.

A repository becomes a folder first, so that both are treated alike. What is wrong with a folder is found from its files'
headers, within a moment, and said with the file's name, because the libraries either say it in a page of text or fill what
is missing with random numbers.
"""

import json
import re
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from smile.errors import InputError, shown_error
from smile.models.devices import is_out_of_memory
from smile.models.hub import find_shared_parts, load_pretrained

POINTER = b"version https://git-lfs"  # what Git leaves in place of a large file that it did not fetch
LARGEST = 2**21  # of a number in a configuration: vocabularies and contexts are smaller
COUNTED = ("num_hidden_layers", "num_layers", "num_single_layers", "layers_per_block", "depth", "num_res_blocks")
SIZED = re.compile(r".*(size|dim|channels|heads|layers|embeddings|depth|features|width|blocks|rank).*")
VARIANT = "fp16"
UNUSED = ("safety_checker", "feature_extractor")  # which pipelines here come without
NAMES = {  # by library: the stem of the file, with and without a variant, and the older kind of file
    "diffusers": ("diffusion_pytorch_model", "diffusion_pytorch_model"),
    "transformers": ("model", "pytorch_model"),
}


def fetch_pipeline(
    location: str, what: str, download: Callable[..., Any], index: Mapping[str, Any], half: bool
) -> tuple[Path, str | None]:
    """(folder, variant) of a diffusers folder or repository, whole.

    `download(variant=..., local_files_only=...)` brings a repository's files and returns their folder. `half`: whether the
    half-precision variant is preferred, which halves the download; where there is one kind only, that is taken. Raises
    InputError that names the file where something is missing or damaged.
    """
    order = (VARIANT, None) if half else (None, VARIANT)
    if Path(location).is_dir():
        return Path(location), _choose_variant(Path(location), what, index, order)

    def fetch(_: str, local_files_only: bool = False, **__) -> tuple[Path, str | None]:
        failure: Exception | None = None
        for variant in order:
            try:
                folder = Path(download(variant=variant, local_files_only=local_files_only))
                return folder, _choose_variant(folder, what, index, (variant,))
            except (InputError, ValueError) as error:  # ValueError is diffusers', where there is no such variant
                failure = failure or error
        raise failure or AssertionError

    return load_pretrained(fetch, location, what)


def _choose_variant(folder: Path, what: str, index: Mapping[str, Any], order: tuple) -> str | None:
    """The first variant that is whole. Raises InputError with what is wrong with the first."""
    problems = [find_damage(folder, index, variant) for variant in order]
    for variant, problem in zip(order, problems, strict=True):
        if problem is None:
            return variant
    known = [problem for problem in problems if problem and not problem.endswith(MISSING)]
    raise InputError(f"The {what} weights in {folder} are not complete: {(known or problems)[0]}.")


MISSING = "has no weights; get it again"


def is_whole(folder: Path) -> bool:
    """Whether a diffusers folder holds all that an editor needs: its `model_index.json` alone is not the model."""
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        index = {name: entry for name, entry in index.items() if name not in UNUSED}
        return any(find_damage(folder, index, variant) is None for variant in (None, VARIANT))
    except (OSError, ValueError, AttributeError):
        return False


def find_damage(folder: Path, index: Mapping[str, Any], variant: str | None = None) -> str | None:
    """What is wrong with a part that `index` names, with the name of the file; None where nothing is."""
    shared = find_shared_parts(folder)
    for name, entry in index.items():
        if not isinstance(entry, (list, tuple)) or len(entry) != 2 or None in entry:
            continue
        homes = [home for home in (folder, shared) if home is not None and _exists(home / name)]
        if not homes:
            return f"the folder {name} is missing" + (f", in {shared} too" if shared else "")
        problem = _find_damage_of_part(homes[0] / name, entry, variant)
        if problem:
            return problem
    return None


def _exists(path: Path) -> bool:
    """Whether there is such a folder; False for links that lead nowhere, or to themselves."""
    with suppress(OSError, RuntimeError):
        return path.is_dir()
    return False


def _find_damage_of_part(part: Path, entry: Any, variant: str | None) -> str | None:
    if entry[0] not in NAMES:
        return None
    kind = entry[1]
    configs = {"Scheduler": "scheduler_config.json", "Tokenizer": "tokenizer_config.json"}
    needed = next((file for sign, file in configs.items() if sign in kind), None)
    is_model = needed is None and not kind.endswith(("Processor", "ProcessorFast", "Extractor", "ProcessorPil"))
    config: dict[str, Any] = {}
    for file in filter(None, ["config.json" if is_model else needed]):
        try:
            config = json.loads((part / file).read_text(encoding="utf-8"))
        except (OSError, RuntimeError):
            return f"{part.name}/{file} is missing or cannot be read"
        except ValueError:
            return f"{part.name}/{file} {_describe_pointer(part / file) or 'holds no JSON'}"
    if not is_model:
        return None
    files = list_weights(part, entry[0], variant)
    if files is None:
        return f"{part.name} {MISSING}"
    tensors = 0
    for file in files:
        problem, count = _check_file(part / file)
        if problem:
            return f"{part.name}/{file} {problem}"
        tensors += count
    return _find_absurd(config, tensors, f"{part.name}/config.json")


def list_weights(part: Path, library: str, variant: str | None) -> list[str] | None:
    """The names of the files with the weights of a part, as its library chooses them; None where there are none."""
    new, old = NAMES[library]
    for stem, suffix in ((new, "safetensors"), (old, "bin")):
        for middle in (f".{variant}",) if variant else ("",):
            whole, listed = part / f"{stem}{middle}.{suffix}", part / f"{stem}.{suffix}.index{middle}.json"
            if listed.is_file() or (listed := part / f"{stem}{middle}.{suffix}.index.json").is_file():
                with suppress(ValueError, AttributeError, OSError):
                    return sorted(set(json.loads(listed.read_text(encoding="utf-8"))["weight_map"].values()))
                return [listed.name]
            if whole.is_file() or whole.is_symlink():
                return [whole.name]
    return None if variant is None else list_weights(part, library, None)  # parts without a variant have one kind only


def _check_file(path: Path) -> tuple[str | None, int]:
    """(what is wrong with a file of weights, how many tensors it says it holds)."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(len(POINTER))
            if start == POINTER:
                return _describe_pointer(path), 0
            if path.suffix == ".bin":
                whole = start[:2] != b"PK" or zipfile.is_zipfile(path)
                return (None if whole else "is cut off; get it again"), 2**31
            length = int.from_bytes(start[:8], "little")
            if not 2 <= length <= min(size - 8, 10**8):
                return "is cut off or no safetensors file; get it again", 0
            file.seek(8)
            held = json.loads(file.read(length))
            held.pop("__metadata__", None)
            end = max((each["data_offsets"][1] for each in held.values()), default=0)
    except (OSError, RuntimeError) as error:
        return f"cannot be read ({getattr(error, 'strerror', None) or 'it is a link to itself'})", 0
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return "is no safetensors file; get it again", 0
    if 8 + length + end != size:
        return f"is cut off: it has {size} bytes of {8 + length + end}; get it again", 0
    return None, len(held)


def _describe_pointer(path: Path) -> str | None:
    with suppress(OSError), path.open("rb") as file:
        if file.read(len(POINTER)) == POINTER:
            return "is a Git LFS pointer and not the file; run “git lfs pull”"
    return None


def _find_absurd(config: Any, tensors: int, name: str) -> str | None:
    """A number in a configuration that its weights cannot have, which would take the memory or hours before it is noticed."""
    for key, value in _walk(config):
        if (key in COUNTED and value > max(tensors, 1)) or (SIZED.fullmatch(key) and value > LARGEST):
            return f"{name} says {key} is {str(value)[:20]}, which its weights do not have"
    return None


def _walk(config: Any):
    if isinstance(config, dict):
        for key, value in config.items():
            values = value if isinstance(value, list) else [value]
            yield from ((str(key), each) for each in values if type(each) is int)
            yield from _walk(value)


def load_parts(
    folder: Path, index: Mapping[str, Any], given: Mapping[str, Any], what: str, dtype: Any, variant: str | None
) -> dict[str, Any]:
    """The models that `index` names, by name, from `folder` or the one that it shares parts with; and the other parts of the
    latter. A weight that is missing or of another shape is an InputError, and never a random number."""
    import torch

    shared = find_shared_parts(folder)
    parts: dict[str, Any] = {}
    for name, entry in index.items():
        if not isinstance(entry, (list, tuple)) or None in entry or name in given:
            continue
        library, kind = entry
        own = _exists(folder / name)
        if library not in NAMES:
            if own:
                continue  # the pipeline's own loader knows it, or refuses it
            raise InputError(f"The {what} weights {folder} name a part of {library}, which is not known here.")
        loader = getattr(import_module(library), kind, None)
        if loader is None:
            raise InputError(f"The {what} weights in {folder} need {kind} of {library}, which this version does not have.")
        place = str(folder if own or shared is None else shared)
        if issubclass(loader, torch.nn.Module):
            has = variant if f".{variant}" in "".join(list_weights(Path(place) / name, library, variant) or []) else None
            parts[name] = _load_model(loader, place, name, what, dtype, has)
        elif not own:
            parts[name] = load_pretrained(loader.from_pretrained, place, what, subfolder=name)
    return parts


def _load_model(loader: Any, folder: str, name: str, what: str, dtype: Any, variant: str | None) -> Any:
    try:
        model, found = loader.from_pretrained(
            folder, subfolder=name, dtype=dtype, variant=variant, output_loading_info=True, local_files_only=True
        )
    except Exception as error:  # what is damaged can make its reader raise anything
        if is_out_of_memory(error):
            raise
        raise InputError(f"The {what} weights in {folder} cannot be read: {name} {_explain_reader(error)}.") from error
    missing = sorted(found["missing_keys"])
    if missing:
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        raise InputError(f"The {what} weights in {folder} are not complete: in {name} there is no {missing[0]}{more}.")
    return model


def _explain_reader(error: Exception) -> str:
    """What a library says of weights that do not fit, in a few words."""
    said = str(error)
    shape = re.search(r"(\S+) expected shape .*?\[([\d, ]*)\]\)?, but got .*?\[([\d, ]*)\]", said)
    if shape:
        return f"has {shape[1]} of another shape, [{shape[3]}] and not [{shape[2]}]"
    if "ignore_mismatched_sizes" in said:
        return "has weights of another shape than its config.json says"
    return f"says “{shown_error(error)}”"
