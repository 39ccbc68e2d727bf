"""An editor by its pipeline's class alone: any folder or repository of diffusers that edits a picture by a text."""

import inspect
from pathlib import Path
from typing import Any

from smile.errors import InputError
from smile.models.devices import choose_device
from smile.models.editors.base import DiffusionEditor
from smile.models.editors.catalogue import find_class
from smile.models.editors.inpaint import Inpaint
from smile.models.editors.instruct_pix2pix import InstructPix2Pix
from smile.models.editors.pipelines import Extras, load_place
from smile.models.hub import find_weights, read_index

OURS: dict[str, Any] = {ours.PIPELINE: ours for ours in (InstructPix2Pix, Inpaint)}


def load_by_class(place: str, device: str | None, **extras: str | None) -> DiffusionEditor:
    """The editor on the pipeline in a folder or repository: by our own steps where its class has them, else called plainly, and
    then it has the name of its place.

    Raises InputError, before weights are downloaded, where the class is no editor's; and as `load_pipeline`.
    """
    if extras.get("base"):
        raise InputError("A pipeline by its class has its own base; leave base out.")
    kind, location = find_weights(place, bundled="", full="")
    index = read_index(location, "diffusers", extras.get("revision"))
    pipeline_class = find_class(index, location)
    takes_region = "mask_image" in inspect.signature(pipeline_class.__call__).parameters
    ours, name = OURS.get(pipeline_class.__name__), str(Path(place)) if Path(place).is_dir() else place
    named = {"name": ours.name if ours else name, "takes_region": takes_region}
    return load_place(location, kind, choose_device(device), index, pipeline_class, ours, named, Extras(**extras))
