"""What lets others reproduce an explanation: the Python lines that make it, a link to the page, and what to cite."""

from keyword import iskeyword
from typing import Any
from urllib.parse import urlencode

import numpy as np

from smile.method import design as designs
from smile.method import kernel
from smile.models.editors import EDITORS
from smile.models.hub import is_repository
from smile.options import DEFAULT_DISTANCE, DEFAULTS, count_permutations
from smile.report.protocols import ExplanationLike

VERSION = "0.1.0"  # smile.__version__, which imports this; a test compares them
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
  year = {2024}, eprint = {2412.16277}, archivePrefix = {arXiv}
}

@article{dehghani2026addressing,
  title = {Addressing Explainability of Generative {AI} using {SMILE} (Statistical Model-agnostic Interpretability with
    Local Explanations)},
  author = {Dehghani, Zeinab},
  journal = {arXiv preprint arXiv:2602.01206},
  year = {2026}, eprint = {2602.01206}, archivePrefix = {arXiv}
}

@software{smile_explain,
  title = {{SMILE} for generative models: which words did it?},
  author = {{The authors of smile-explain}},
  year = {2026}, version = {%s}, license = {Apache-2.0},
  note = {Python package smile-explain and web page; implements arXiv:2412.16277 and arXiv:2602.01206}
}
""".replace("%s", VERSION)


def write_python(explanation: ExplanationLike, picture: str = "input.png", region: str = "region.png") -> str:
    """The Python lines that make the same explanation, all of it where this one was stopped.

    `picture` and `region` are the paths in these lines; those of a bundle have the size that the editor works at.
    Where editor or embedder are somebody's own, a comment says where to put them.
    """
    e, settings = explanation, explanation.settings
    ours, own_embedder = is_named(settings["editor"]), settings["embedder"] != "dinov2"
    lines = "" if ours else OWN.format("editor", f"your own editor, {settings['editor']!r}")
    lines += OWN.format("embedder", f"your own embedder, {settings['embedder']!r}") if own_embedder else ""
    lines += f"from smile import explain{', load_editor' if ours else ''}\n\n"
    if ours:
        names = dict.fromkeys((settings["editor"], settings.get("editor_weights", "auto")))  # one, of a repository by its class
        arguments = [repr(name) for name in names]
        arguments += [_write_argument("lora", settings["editor_lora"])] if settings.get("editor_lora") else []
        arguments += [_write_argument(name, value) for name, value in settings["editor_settings"].items()]
        lines += f"editor = load_editor({', '.join(arguments)})\n"
    arguments = [repr(picture), repr(e.instruction), "editor"]
    arguments += [_write_argument(name, value) for name, value in list_options(e).items()]
    arguments += ["embedder=embedder"] if own_embedder else []
    arguments += [_write_argument("region", region)] if settings["region"] else []
    lines += "explanation = explain(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")\n"
    return lines + "print(explanation.finding)\n"


def is_named(editor: str) -> bool:
    """Whether others can load this editor by its name: one of ours, of a package's, or a repository on the Hub."""
    return editor in EDITORS or is_repository(editor)


def write_query(explanation: ExplanationLike, example: str | None = None) -> str:
    """The query of the page's address that fills in this run: example (by name), instruction, editor, weights, seed, and
    edits where it is not what the number of words needs."""
    settings = explanation.settings
    query = {"example": example, "instruction": explanation.instruction}
    if settings["editor"] in EDITORS:
        weights = settings.get("editor_weights")  # a path of somebody's own is private and stays out
        query |= {"editor": settings["editor"], "weights": weights if weights in EDITORS[settings["editor"]].weights else None}
    usual = designs.default_edits(len(explanation.words))
    query |= {"seed": settings["seed"], "edits": None if settings["edits"] == usual else settings["edits"]}
    return urlencode({name: value for name, value in query.items() if value is not None})


def list_options(explanation: ExplanationLike) -> dict[str, Any]:
    """The options of `explain` that make this explanation: edits, seed, and what differs from the defaults."""
    e, settings = explanation, explanation.settings
    options = {name: settings[name] for name in ("edits", "seed")}
    names = ["preset", "reference", "seeds", "noise_seeds", "smallest_effect", "alone", "undo"]
    if settings["preset"] is None:
        names += PRESET
        names += ["sigma"] * (settings["sigma"] is not None and not _is_auto(e))
    options |= {name: settings[name] for name in names if settings[name] != USUAL[name]}
    if "locality_note" in settings:  # what was asked for; the editor has no token embeddings
        options["locality"] = "wmd"
    if _is_settled(e):  # with more noise seeds it would be the same explanation
        options.pop("noise_seeds", None)
    options |= {name: list(settings[name]) for name in ("join", "hold") if settings[name]}
    usual = count_permutations(len(e.words))
    options |= {"permutations": settings["permutations"]} if settings["permutations"] != usual else {}
    if settings["embedder"] == "dinov2" and not (_is_bundled(settings, "editor") and _is_bundled(settings, "embedder")):
        options["embedder"] = settings.get("embedder_weights", "auto")
    return options


def _is_settled(e: ExplanationLike) -> bool:
    """Whether one other seed was enough to know that seeds change nothing, so that no further one was tried."""
    full, others = e.edits[0], e.noise_edits
    same = full is not None and all(other is not None and other.tobytes() == full.tobytes() for other in others)
    return e.settings["noise_seeds"] == len(others) == 1 and same


def _is_auto(e: ExplanationLike) -> bool:
    """Whether the kernel width is the automatic one. The record has only the number, but in the Python lines a number would
    stay when somebody changes the instruction."""
    weights = e.locality_weights[e.blocks == 0]
    if len(weights) < e.settings["edits"] or not weights.all():
        return False
    distances = np.sqrt(-np.log(weights))  # text distances in kernel widths; all zero where the texts are alike
    width = 1.0 if distances.any() else e.settings["sigma"]
    return bool(np.isclose(kernel.auto_sigma(distances), width, rtol=ROUND_OFF, atol=0))


def _is_bundled(settings: dict[str, Any], model: str) -> bool:
    return str(settings.get(f"{model}_weights", "")).startswith("bundled")


def _write_argument(name: str, value) -> str:
    """An argument by name, in a table where the name, which may come from somebody's file, is no identifier."""
    return f"{name}={value!r}" if name.isidentifier() and not iskeyword(name) else f"**{dict([(name, value)])!r}"
