"""Whatever the page or the API is asked for is checked here, before a model is loaded or anybody waits."""

import functools
import hashlib
from pathlib import Path

from PIL import Image

from smile import InputError
from smile.errors import shown
from smile.io import bundle
from smile.io.images import open_picture, open_region
from smile.method import design as designs
from smile.method.units import split_instruction, words
from smile.models.editors import EDITORS
from smile.models.hub import is_bundled, is_repository
from smile.models.known import KNOWS, find_untaught, judge_prompt, measure_picture
from smile.options import DEFAULT_DISTANCE, DEFAULTS, Options
from smile.report.known import describe_unknown
from smile.ui import machine, texts
from smile.ui.engine import Engine, Request
from smile.ui.estimate import count_edits

MAX_EDITS = 256  # in one run of a page that others may be waiting for
OPENED = bundle.Limits(pixels=64_000_000 // 3, edits=2 * MAX_EDITS)  # 64 MB of pictures
MAX_CHECKED = 4 * MAX_EDITS  # distances of what was opened that are measured again
RUN_BYTES = 250_000_000  # of the pictures of one visitor's run on a Space, a quarter of what all may have together
MAX_BYTES = 20_000_000  # of a picture's file
BESIDE = ("alone", "undo")  # options without a field among the advanced ones
METHOD = {name: DEFAULTS[name] for name in texts.OPTIONS}  # as it stands in the fields
METHOD |= {"distance": DEFAULT_DISTANCE, "smallest_effect": 0} | dict.fromkeys(texts.PHRASES, "")


def check_asked(picture, instruction: str, edits, seed, options=None) -> dict:
    """What a run and a comparison ask alike, by the names of `Request`. Raises InputError."""
    opened, asked = open_file(picture), check_run(instruction, edits, options)
    return {"picture": opened, "seed": parse_whole("seed", seed or 0, least=0), **asked}


def check_run(instruction: str, edits, options=None) -> dict:
    """Instruction, number of edits and method of a run that is possible. Raises InputError."""
    options = check_options(options)
    k = count_words(instruction, options.get("join", ()), options.get("hold", ()))
    edits = None if edits is None else parse_whole("number of edits", edits, least=2)
    if edits is not None and edits > MAX_EDITS:
        raise InputError(f"{edits} edits are more than the {MAX_EDITS} that this page makes in one run.")
    count = designs.planned_edits(k, edits, options.get("smallest_effect") is not None)
    designs.describe(k, count, Options.of(options).settings()["design"])  # raises where the design needs more
    made, others = count_edits(k, edits, options)
    if made > MAX_EDITS or others > MAX_EDITS:
        raise InputError(
            f"All seeds together are {made} edits and {others} beside them, and this page makes at most "
            f"{MAX_EDITS} of each in one run; take fewer seeds."
        )
    return {"instruction": instruction, "edits": edits, "options": options}


def count_words(instruction: str, join="", hold="") -> int:
    """How many words, or phrases that count as one, of an instruction are explained. `join` and `hold`: lists of phrases, or
    text with commas between them. Raises InputError for phrases that do not stand in it, overlap, or leave nothing."""
    return len(split_instruction(instruction or "", split_phrases(join), split_phrases(hold)).names)


def split_phrases(given):
    """The phrases in a text with commas between them; what is no text stays as it is."""
    return [each.strip() for each in given.split(",") if each.strip()] if isinstance(given, str) else given


def build_request(engine: Engine, asked: dict, editor, weights, region=None, settings=None) -> Request:
    """What `check_asked` returned, asked of one editor. Raises InputError.

    `region` is a file or picture, white where the editor may change something; `settings` are the editor's own.
    """
    machine.resolve_weights(editor, weights)
    if needs_region(editor) and region is None:
        raise InputError(f"{editor} needs a region, the part of the picture that may change; paint one.")
    if isinstance(region, str):
        region = open_file(region)
    region = None if region is None else open_region(region, asked["picture"].size)
    if not isinstance(settings or {}, dict):
        raise InputError('The settings must be an object with names and numbers, for example {"steps": 30}.')
    return Request(**asked, editor=editor, weights=weights, region=region, settings=settings or {})


def find_region(engine: Engine, picture: Image.Image, phrase: str) -> Image.Image:
    """The region of `picture` that shows what `phrase` names. Raises InputError."""
    if not (phrase or "").strip():
        raise InputError(texts.NO_PHRASE)
    return engine.find_region(picture, phrase.strip())


def needs_region(editor) -> bool:
    """Whether this editor changes a region only. Raises InputError for a repository that is not allowed, or is no editor's."""
    if editor in EDITORS or not is_repository(str(editor)):
        return editor in EDITORS and EDITORS[editor].needs_region
    return machine.offer_repository(str(editor)).takes_region


LANGUAGE_MODEL = "toyroad"  # the bundled one


def find_unknown_words(prompt: str, model: str) -> str:
    """The same of a prompt for a language model, of which only the bundled one is known."""
    asked = (prompt or "").split()
    if model != LANGUAGE_MODEL:
        return describe_unknown("", 0.0, [], asked)
    known = judge_prompt(asked)
    return describe_unknown(known.what, known.distance, [asked[i] for i in known.untaught], asked)


def find_unknown(picture, instruction: str, editor, weights) -> str:
    """What these weights never saw of what is asked, in a sentence; "" where there is nothing to say, or nothing asked yet."""
    try:
        asked = words(instruction or "")
        chosen = machine.resolve_weights(editor, weights)
        if editor not in EDITORS or not is_bundled(chosen):
            return describe_unknown("", 0.0, [], asked)
        distance = _measure_file(str(picture), Path(picture).stat().st_mtime_ns) if picture else 0.0
    except (InputError, OSError):  # which is said where it is asked
        return ""
    untaught = find_untaught(asked, EDITORS[editor].expects(chosen))
    return describe_unknown(KNOWS, distance, [asked[i] for i in untaught], asked)


@functools.lru_cache(maxsize=64)
def _measure_file(picture: str, changed: int) -> float:
    return measure_picture(open_file(picture))


def open_file(picture) -> Image.Image:
    """`open_picture` on an uploaded file. Raises InputError."""
    if picture and Path(picture).is_file() and Path(picture).stat().st_size > MAX_BYTES:
        raise InputError(f"{shown(Path(picture).name)} has more than {MAX_BYTES // 10**6} MB; make it smaller.")
    return open_picture(picture)


def parse_whole(name: str, value, least: int) -> int:
    """A whole number that came as text, or as a number of any kind. Raises InputError."""
    try:
        number = float(value)
        if number.is_integer() and least <= number < 2**32:
            return int(number)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"The {name} must be a whole number of at least {least}, not {shown(value)}.")


def check_options(options) -> dict:
    """The options that are given. Raises InputError for a name or a value that is none."""
    if not isinstance(options or {}, dict):
        raise InputError('The options must be an object with names and values, for example {"seeds": 3}.')
    given = {name: _parse_number(value) for name, value in (options or {}).items() if value is not None}
    given |= {name: split_phrases(given[name]) for name in texts.PHRASES if name in given}
    if given.get("smallest_effect") == 0:  # a number field knows no empty
        del given["smallest_effect"]
    for name in given:
        if name not in (known := (*texts.OPTIONS, *BESIDE, "preset")):
            raise InputError(f"There is no option “{shown(name)}”; there is {', '.join(known)}.")
    Options.of(given)
    return given


def _parse_number(value):
    """JSON and number fields know no whole numbers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def digest_file(picture: str | None) -> str | None:
    """What is in the file of a picture; None where there is none."""
    if not picture or not Path(picture).is_file():
        return None
    state = Path(picture).stat()
    return _digest(str(picture), state.st_mtime_ns, state.st_size) if state.st_size <= MAX_BYTES else picture


@functools.lru_cache(maxsize=64)
def _digest(picture: str, *state: int) -> str:
    return hashlib.sha256(Path(picture).read_bytes()).hexdigest()
