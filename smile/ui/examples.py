"""The examples: explanations that were saved beforehand and are replayed at once, without any model.

`assets/examples` holds for each a picture, for some a region, and a bundle (`smile.io.bundle`); a comparison has a bundle for
every editor. A bundle is read, and what the browser draws is made, when it is first asked for.
"""

import functools
import json
from dataclasses import dataclass

from PIL import Image

from smile import Explanation, InputError
from smile.errors import shown as quote
from smile.explanation import load_edits
from smile.paths import EXAMPLES
from smile.report import citation, payload
from smile.ui import texts


@dataclass(frozen=True)
class Example:
    """One line of examples.json."""

    name: str
    instruction: str
    editor: str = ""
    weights: str = "auto"
    region: bool = False
    compare: tuple[str, ...] = ()  # the names of its bundles, if it is a comparison
    surprise: str = ""  # what its button says, if it is one of those that teach; they come last
    lesson: str = ""  # the sentence that it teaches

    @property
    def title(self) -> str:
        """What its button is called."""
        return f"{self.instruction} ({self.editor or 'all editors'})"

    @property
    def picture(self) -> str:
        """Its file."""
        return str(EXAMPLES / f"{self.name}.png")

    @property
    def region_file(self) -> str | None:
        """The file with the region, None where there is none."""
        return str(EXAMPLES / f"{self.name}-region.png") if self.region else None

    @property
    def painted(self) -> str | Image.Image | None:
        """The region as a file, or as the picture in a bundle of a comparison; None where there is none."""
        return self.region_file or next((e.region for e in self.explanations().values() if e.region is not None), None)

    def explanations(self) -> dict[str, Explanation]:
        """By editor."""
        saved = [_read_bundle(name) for name in self.compare or (self.name,)]
        return {explanation.settings["editor"]: explanation for explanation in saved}


@functools.cache
def list_examples() -> tuple[Example, ...]:
    """All, in the page's order."""
    lines = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))
    return tuple(Example(**line | {"compare": tuple(line.get("compare", ()))}) for line in lines)


def find_example(name: str) -> Example:
    """The example of that name. Raises InputError where there is none."""
    for example in list_examples():
        if example.name == name:
            return example
    names = ", ".join(example.name for example in list_examples())
    raise InputError(f"There is no example “{quote(name)}”; there is {names}.")


def find_example_name(picture: str | None) -> str | None:
    """The name of the example whose picture this file is."""
    return next((example.name for example in list_examples() if picture == example.picture), None)


def open_shown(shown) -> Explanation | None:
    """The explanation in the page's state `shown`, which holds an explanation, or (example, editor), or None."""
    return find_example(shown[0]).explanations()[shown[1]] if isinstance(shown, tuple) else shown


@functools.cache
def draw_example(example: Example, editor: str) -> dict:
    """What the browser draws of the explanation of this editor."""
    explanation, folder = example.explanations()[editor], "assets/examples"
    return payload.explanation_payload(
        explanation,
        source=texts.REPLAYED,
        link=citation.write_query(explanation, example=example.name),
        files=(f"{folder}/{example.name}.png", f"{folder}/{example.name}-region.png"),
    ) | {"lesson": example.lesson}


@functools.cache
def draw_comparison(example: Example) -> dict | None:
    """What the browser draws of a comparison; None where the example is none."""
    return payload.comparison_payload(example.explanations(), source=texts.REPLAYED) if example.compare else None


@functools.cache
def _read_bundle(name: str) -> Explanation:
    return load_edits(EXAMPLES / f"{name}.zip", refit=False)
