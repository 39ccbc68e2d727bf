"""What lets somebody else have this explanation: the Python lines that make it, a link to the page, and what to cite."""

from keyword import iskeyword
from urllib.parse import urlencode

import numpy as np

from smile.method import design as designs
from smile.method import kernel as localities
from smile.models.editors import EDITORS
from smile.options import DEFAULT_DISTANCE, DEFAULTS, count_permutations

USUAL = DEFAULTS | {"distance": DEFAULT_DISTANCE}
PRESET = ("design", "distance", "locality", "surrogate")  # what a preset decides
OWN = "# {} stands for {}, which is to be put here.\n"
ROUND_OFF = 1e-6  # relative

BIBTEX = """\
@article{dehghani2024mapping,
  title = {Mapping the Mind of an Instruction-based Image Editing using {SMILE}},
  author = {Dehghani, Zeinab and Aslansefat, Koorosh and Khan, Adil and {Ram{\\'i}rez Rivera}, Ad{\\'i}n and George, Franky
    and Khalid, Muhammad},
  journal = {arXiv preprint arXiv:2412.16277},
  year = {2024},
  eprint = {2412.16277},
  archivePrefix = {arXiv}
}

@article{dehghani2026addressing,
  title = {Addressing Explainability of Generative {AI} using {SMILE} (Statistical Model-agnostic Interpretability with
    Local Explanations)},
  author = {Dehghani, Zeinab},
  journal = {arXiv preprint arXiv:2602.01206},
  year = {2026},
  eprint = {2602.01206},
  archivePrefix = {arXiv}
}
"""


def python(explanation, picture: str = "input.png", region: str = "region.png") -> str:
    """The Python lines that make this very explanation again, finished if it was stopped.

    `picture` and `region` are the paths to write into them; those of a bundle are at the size that the editor works at.
    An editor or embedder of one's own is not known here: a comment says where to put it.
    """
    e, settings = explanation, explanation.settings
    known = settings["editor"] in EDITORS
    own_embedder = settings["embedder"] != "dinov2"
    lines = "" if known else OWN.format("editor", f"your own editor, {settings['editor']!r}")
    lines += OWN.format("embedder", f"your own embedder, {settings['embedder']!r}") if own_embedder else ""
    lines += f"from smile import explain{', load_editor' if known else ''}\n\n"
    if known:
        given = [repr(settings["editor"]), repr(settings.get("editor_weights", "auto"))]
        given += [_given(name, value) for name, value in settings["editor_settings"].items()]
        lines += f"editor = load_editor({', '.join(given)})\n"
    given = [repr(picture), repr(e.instruction), "editor"]
    given += [_given(name, value) for name, value in options(e).items()]
    given += ["embedder=embedder"] if own_embedder else []
    given += [_given("region", region)] if settings["region"] else []
    lines += "explanation = explain(\n" + "".join(f"    {each},\n" for each in given) + ")\n"
    return lines + "print(explanation.finding)\n"


def query(explanation, example: str | None = None) -> str:
    """The query of the page's address that fills in this run: example (a picture of the page's, by name), instruction,
    editor, weights, seed, and edits where it is not what the number of words needs."""
    settings = explanation.settings
    given = {"example": example, "instruction": explanation.instruction}
    if settings["editor"] in EDITORS:
        weights = settings.get("editor_weights")  # others than ours are somebody's own, and would tell where they lie
        given |= {"editor": settings["editor"], "weights": weights if weights in EDITORS[settings["editor"]].weights else None}
    usual = designs.default_edits(len(explanation.words))
    given |= {"seed": settings["seed"], "edits": None if settings["edits"] == usual else settings["edits"]}
    return urlencode({name: value for name, value in given.items() if value is not None})


def options(e) -> dict:
    """What `explain` must be told beyond the picture, the instruction and the editor: edits, seed, what is not usual."""
    settings = e.settings
    options = {name: settings[name] for name in ("edits", "seed")}
    said = ["preset", "reference", "seeds", "noise_seeds", "smallest_effect"]
    if settings["preset"] is None:
        said += [name for name in PRESET if (name, "locality_note" in settings) != ("locality", True)]
        said += ["sigma"] * (settings["sigma"] is not None and not _is_auto(e))
    options |= {name: settings[name] for name in said if settings[name] != USUAL[name]}
    usual = count_permutations(len(e.words))
    options |= {"permutations": settings["permutations"]} if settings["permutations"] != usual else {}
    if settings["embedder"] == "dinov2" and not (_is_bundled(settings, "editor") and _is_bundled(settings, "embedder")):
        options["embedder"] = settings.get("embedder_weights", "auto")
    return options


def _is_auto(e) -> bool:
    """Whether the width is the one that comes of itself. The number alone is written down, but written into the lines it
    would stay when somebody changes the instruction in them."""
    weights = e.locality_weights[e.blocks == 0]
    if len(weights) < e.settings["edits"] or not weights.all():
        return False
    widths = np.sqrt(-np.log(weights))  # of text distance, which is all zero where the texts cannot be told apart
    itself = 1.0 if widths.any() else e.settings["sigma"]
    return bool(np.isclose(localities.auto_sigma(widths), itself, rtol=ROUND_OFF, atol=0))


def _is_bundled(settings, what: str) -> bool:
    return str(settings.get(f"{what}_weights", "")).startswith("bundled")


def _given(name: str, value) -> str:
    """An argument by name. Names may come from somebody's file, and so may be none."""
    return f"{name}={value!r}" if name.isidentifier() and not iskeyword(name) else f"**{dict([(name, value)])!r}"
