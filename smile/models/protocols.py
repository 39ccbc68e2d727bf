"""What is expected of an editor, an embedder and a language model, and the calls that check what they return.

Each may be anybody's. Nothing is assumed of it beyond its protocol, and a result of the wrong kind is one sentence that
says so instead of a wrong number later. This is the one place that lists the attributes a model may have besides.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from typing import Any, NamedTuple, Protocol

import numpy as np
from PIL import Image

from smile.errors import InputError
from smile.io.images import fit_picture, fit_region, lay_on_white, open_region

BATCH = 8  # texts at a time for an editor that does not say
LARGEST_FEATURE = 1e100  # its square, and the sum of many, are still numbers


class Editor(Protocol):
    """A black box that edits a picture by a text.

    It may also have, and is asked with `getattr` or `hasattr`:

    - `name`, `weights`, `device`, `dtype`: how it calls itself in the explanation; `settings`: a dict, likewise;
    - `batch_size`: how many texts it likes at a time (`BATCH` if it does not say);
    - `working_size`: the longest side, in pixels, of the pictures it works on (any, if it does not say);
    - `takes_region`: True if it needs a region, False if it has no use for one (either, if it does not say);
    - `token_embeddings(text) -> (n, d)`: rows of the text encoder's input table, without special tokens, for the word
      mover's distance;
    - `lost_words(text) -> list[str]`: the words beyond its token limit;
    - `read_text(text) -> str`: what it reads of a text, for example its tokens; texts that it reads alike, and that
      therefore have the same edit, count as one edit in the tests (without it, equal texts do);
    - `with_settings(**settings)`: the same editor with other settings; `SETTINGS`: the range of each, (lowest, highest);
    - `edit_batches(image, batches, *, region=None)`: an iterator over the edits of batches (seed, texts), for one that
      does better when it knows all of them;
    - `checker`: its safety checker, because of which None is a blocked edit, which would be blocked again;
    - `failure`: a sentence that says why an edit failed, "" where none did;
    - `revision`: a text that changes whenever its edits would, so that they can be kept on disk (`smile.models.cache`);
      `location`: the folder or repository of its weights, which serves the same;
    - `knows(picture, words) -> Known | None`: what little its weights know, and what of the picture and the instruction's words
      is strange to them; None for weights that are meant for any.
    """

    def edit(self, image: Any, texts: list[str], *, seed: int, region: Any = None) -> list[Image.Image | None]:
        """N edits of `image` for N texts, in order, all started from the noise of `seed`; None is a failed or blocked one.

        `image` is an RGB PIL image; `region` an L image of its size, 255 where the editor may change something. It is
        passed only if there is one. All edits have one size; pictures are of 8 bits.
        """
        ...


class Known(NamedTuple):
    """What an editor's weights know, and what of a picture and an instruction is strange to them."""

    what: str  # in a few words, such as "drawn road scenes"
    distance: float = 0.0  # how far the picture is from these; above 1 it is unlike them
    untaught: tuple[int, ...] = ()  # positions, from 0, of the words that they were never taught


class Embedder(Protocol):
    """Features of pictures. It may also have `name`, `weights` and `device` for the explanation, and `grid`, the (rows,
    columns) of its patches (a square, if it does not say)."""

    def embed(self, items: list) -> tuple[np.ndarray, np.ndarray | None]:
        """Vectors (N, d) of N items and, if it has any, patches (N, p, d) in reading order; finite numbers."""
        ...


class Answer(str):
    """What a language model has written: a text that also knows the `ids` of its tokens, the end token's among them if it has
    one, and whether it `ended` by itself or was cut off. Ids that nobody kept are (), and a model then reads the text again.

    It is passed on as the plain text that it is; slices of it are plain `str` again, so parts are made with `cut`.
    """

    ids: tuple[int, ...]
    ended: bool

    def __new__(cls, text: str, ids: Sequence[int] = (), ended: bool = True) -> "Answer":
        answer = super().__new__(cls, text)
        answer.ids, answer.ended = tuple(ids), bool(ended)
        return answer

    def cut(self, tokens: Sequence[str], start: int, stop: int) -> "Answer":
        """The part from token `start` up to token `stop`, with the ids that it was written in. `tokens`: their texts, as the
        model splits this answer."""
        return Answer("".join(tokens[start:stop]), self.ids[start:stop], self.ended and stop >= len(tokens))


class LanguageModel(Protocol):
    """A black box that answers a prompt.

    It may also have, and is asked with `getattr` or `hasattr`:

    - `score(prompts, answer, *, given=None) -> (N, t)`: log-probabilities, in nat, of the t tokens of one answer after each
      of N prompts. `given` says, for each prompt, what text of the answer stands before (None: nothing does); `answer` is
      then the segment that is scored after it. A text counts as one that ended by itself, and its end token is the last
      of the t, unless it is an `Answer` that says otherwise or `given` is passed;
    - `split(answer) -> list[str]`: the texts of the answer's tokens, which make the answer when joined; the end token,
      where the answer has one, is the empty text at the end;
    - `read(prompt)`: what it reads of a prompt; prompts of which it reads the same are one prompt;
    - `check(prompts)`: raises InputError, before anything runs, where a prompt is too long or cannot be told from the
      template; it names the words that would be lost;
    - `knows(words) -> Known | None`: what little its weights know, and which of a prompt's units are strange to it;
    - `describe() -> dict`: what else the explanation should say of it, such as the text that its template adds;
    - `name`, `weights`, `device`, `dtype`, `settings`, `with_settings`, `SETTINGS`, `batch_size`, `revision` and `location`,
      as an editor has.
    """

    def write(self, prompts: list[str], *, seed: int) -> list[str | None]:
        """N answers to N prompts, in order, all sampled with the noise of `seed`; None is a failed one.

        A prompt may be empty, because all its words may be left out. The same prompt and seed give the same answer.
        """
        ...


def check_region(editor: object, region: object) -> None:
    """Raise InputError where the editor needs a region and has none, or has no use for the one it is given."""
    name, takes = getattr(editor, "name", "this editor"), getattr(editor, "takes_region", None)
    if takes is True and region is None:
        raise InputError(f"{name} needs a region, the part of the picture that may change; paint one.")
    if takes is False and region is not None:
        raise InputError(f"{name} edits the whole picture; leave the region out.")


def fit_inputs(editor: object, picture: Image.Image, region: Any) -> tuple[Image.Image, Image.Image | None]:
    """Picture and region at the size that the editor works at. Raises InputError where the region does not suit."""
    check_region(editor, region)
    region = None if region is None else open_region(region, picture.size)
    size = getattr(editor, "working_size", None)
    picture = fit_picture(picture, size) if size else picture
    return picture, None if region is None else fit_region(region, picture.size)


def edit_checked(
    editor: Editor, picture: Image.Image, texts: Sequence[str], seed: int, region: Image.Image | None
) -> list[Image.Image | None]:
    """The editor's edits of one batch of texts. Raises InputError where they are not what the protocol says.

    It gets copies, and what it returns is copied, so that nothing it draws later changes an edit, or what others start from.
    """

    def edit(texts: list[str]) -> list[Image.Image | None]:
        optional = {} if region is None else {"region": region.copy()}
        return _check_edits(editor.edit(picture.copy(), texts, seed=seed, **optional), texts)

    edits = edit(list(texts))
    last = edits[0].copy() if edits[0] is not None and len(set(texts)) > 1 and _share_pixels(edits) else None
    if last is not None and edit([texts[0]])[0] != last:
        raise InputError(
            f"The editor drew all {len(texts)} edits into one picture, so that only the last is left; return a new picture "
            "for each text."
        )
    return [None if edit is None else _normalize_edit(edit, picture) for edit in edits]


def _check_edits(images: Any, texts: Sequence[str]) -> list[Image.Image | None]:
    """`images`, which are one PIL image or None for each text."""
    if not isinstance(images, (list, tuple)) or len(images) != len(texts):
        got = f"{len(images)}" if isinstance(images, (list, tuple)) else f"a {type(images).__name__}"
        raise InputError(f"The editor must return a list with one picture for each text: {len(texts)}, not {got}.")
    for image in images:
        if image is not None and not isinstance(image, Image.Image):
            raise InputError(f"The editor must return PIL images, or None for a failed edit, not {type(image).__name__}.")
    return list(images)


def _share_pixels(edits: list[Image.Image | None]) -> bool:
    """Whether all of several edits are equal and may lie in the same memory: one object, or views of somebody's array."""
    first, *others = edits
    if first is None or not others or any(other is None for other in others):
        return False
    same = all(other is first for other in others)
    return same or bool(first.readonly and all(other == first for other in others))


def _normalize_edit(image: Image.Image, picture: Image.Image) -> Image.Image | None:
    """Its pixels and nothing else, None where it shows nothing: pipelines return black for what overflowed or was blocked,
    and a fit over that would be a fit over nothing."""
    if image.mode.startswith(("I", "F")):
        raise InputError(f"The editor must return pictures of 8 bits, not of mode {image.mode}.")
    try:
        image = lay_on_white(image)  # as inputs are; a copy in any case
    except (OSError, SyntaxError) as error:
        raise InputError("The editor returned a picture that is damaged.") from error
    image.info = {}
    return image if image.getbbox() or not picture.getbbox() else None


def read_checked(editor: object, texts: Sequence[str]) -> list[str]:
    """What the editor reads of each text (the text itself, if it does not say). Raises InputError where that is no text."""
    if not hasattr(editor, "read_text"):
        return list(texts)
    known = {text: editor.read_text(text) for text in dict.fromkeys(texts)}
    for reading in known.values():
        if not isinstance(reading, str):
            raise InputError(f"The editor's read_text must return a text, not {type(reading).__name__}.")
    return [known[text] for text in texts]


def ask_known(editor: object, picture: Image.Image, words: Sequence[str]) -> Known | None:
    """What the editor's weights know, if it says. Raises InputError where that is no `Known`."""
    return _check_known(editor.knows(picture.copy(), list(words)) if hasattr(editor, "knows") else None, "editor", words)


def ask_known_words(model: object, words: Sequence[str]) -> Known | None:
    """The same of a language model and a prompt's units."""
    return _check_known(model.knows(list(words)) if hasattr(model, "knows") else None, "language model", words)


def _check_known(said: Any, whose: str, words: Sequence[str]) -> Known | None:
    if said is None:
        return None
    unknown: tuple[Any, Any, Any] = (None, None, ())
    what, distance, untaught = said if isinstance(said, tuple) and len(said) == 3 else unknown
    right = isinstance(what, str) and what.isprintable() and isinstance(distance, (int, float)) and 0 <= distance < np.inf
    if not right or not all(isinstance(i, int) and 0 <= i < len(words) for i in untaught):
        raise InputError(f"The {whose}'s knows must return a smile.models.protocols.Known, or None.")
    return Known(what, float(distance), tuple(untaught))


def edit_batches(
    editor: Editor, picture: Image.Image, batches: Sequence[tuple[int, list[str]]], region: Image.Image | None
) -> Iterator[list[Image.Image | None]]:
    """The checked edits of each batch (seed, texts), as they are made; by the editor's own `edit_batches` if it has one."""
    if getattr(editor, "checks", False) is True:  # a CachingEditor: what it returns has come through here
        yield from editor.edit_batches(picture, batches, region=region)  # type: ignore[attr-defined]
        return
    if not hasattr(editor, "edit_batches"):
        for seed, texts in batches:
            yield edit_checked(editor, picture, texts, seed, region)
        return
    own = None if region is None else region.copy()
    made: Any = editor.edit_batches(picture.copy(), [(seed, list(texts)) for seed, texts in batches], region=own)
    with closing(made) if hasattr(made, "close") else nullcontext():
        edits = iter(made)
        for _, texts in batches:
            images = _check_edits(next(edits, None), texts)
            yield [None if image is None else _normalize_edit(image, picture) for image in images]


def embed_checked(embedder: Embedder, items: list) -> tuple[np.ndarray, np.ndarray | None]:
    """The embedder's vectors (N, d) and patches (N, p, d) or None, as float64, whatever kind of numbers it computes in.
    Raises InputError where they are not of these shapes, or no real numbers below 1e100."""
    name = f"The embedder {getattr(embedder, 'name', type(embedder).__name__)}"
    result = embedder.embed([item.copy() if isinstance(item, Image.Image) else item for item in items])
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise InputError(f"{name} must return (vectors, patches); patches may be None.")
    vectors = _convert_features(result[0], f"{name}'s vectors", 2, len(items))
    return vectors, None if result[1] is None else _convert_features(result[1], f"{name}'s patches", 3, len(items))


def _convert_features(values: Any, what: str, dimensions: int, count: int) -> np.ndarray:
    """A new float64 array of this many dimensions, the first of which is `count`."""
    if hasattr(values, "detach"):  # of torch, perhaps with gradients, on a GPU, or in bfloat16, which NumPy does not know
        values = values.detach().cpu()
        values = values.double() if values.is_floating_point() else values
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # a list of unequal lengths, or of tensors
        raise InputError(f"{what} must be an array of numbers, not a {type(values).__name__}.") from error
    if array.ndim != dimensions or len(array) != count:
        shape = "(N, d)" if dimensions == 2 else "(N, p, d)"
        raise InputError(f"{what} must be {shape} with N = {count}, not {array.shape}.")
    if array.dtype.kind not in "biuf":
        raise InputError(f"{what} must be real numbers, not {array.dtype}.")
    array = array.astype(np.float64)
    if not (np.abs(array) <= LARGEST_FEATURE).all():  # NaN is not
        raise InputError(f"{what} must be finite numbers of at most {LARGEST_FEATURE:g}.")
    return array


def check_prompts(model: LanguageModel, prompts: Sequence[str]) -> None:
    """Raise InputError where a prompt is no text that can be written down, or the model says that it cannot read it."""
    for prompt in prompts:
        if not isinstance(prompt, str):
            raise InputError(f"A prompt must be a text, not a {type(prompt).__name__}.")
        if not _is_unicode(prompt):
            raise InputError("The prompt contains half a character (a lone surrogate); take it out.")
    if hasattr(model, "check"):
        model.check(list(prompts))


def write_checked(model: LanguageModel, prompts: Sequence[str], seed: int) -> list[str | None]:
    """The model's answers to the prompts. Raises InputError where they are not what the protocol says."""
    answers = model.write(list(prompts), seed=seed)
    if not isinstance(answers, (list, tuple)) or len(answers) != len(prompts):
        got = f"{len(answers)}" if isinstance(answers, (list, tuple)) else f"a {type(answers).__name__}"
        raise InputError(f"The language model must return a list with one answer for each prompt: {len(prompts)}, not {got}.")
    for answer in answers:
        if answer is not None and not isinstance(answer, str):
            raise InputError(
                f"The language model must return texts, or None for an answer that failed, not {type(answer).__name__}."
            )
        if answer is not None and not _is_unicode(answer):
            raise InputError("The language model returned half a character (a lone surrogate), which is no text.")
    return list(answers)


def score_checked(model: Any, prompts: Sequence[str], answer: str, given: Sequence[str | None] | None = None) -> np.ndarray:
    """(N, t) float64 log-probabilities of the answer's tokens in nat, at most 0. Raises InputError where they are not that."""
    optional = {} if given is None else {"given": list(given)}
    returned = model.score(list(prompts), answer, **optional)
    try:
        scores = np.asarray(returned)
    except ValueError as error:  # rows of different lengths
        raise InputError("The language model's scores must be one array, with as many tokens in each row.") from error
    if scores.ndim != 2 or len(scores) != len(prompts) or not scores.shape[1]:
        raise InputError(f"The language model's scores must be (N, t) with N = {len(prompts)} and t > 0, not {scores.shape}.")
    if not (np.issubdtype(scores.dtype, np.floating) and np.isfinite(scores).all()):
        raise InputError("The language model's scores must be finite numbers; it gave one that is not.")
    if scores.max() > 1e-4:  # rounding apart
        raise InputError("The language model's scores must be log-probabilities, which are never above 0.")
    return np.minimum(scores.astype(float), 0.0)


def split_checked(model: Any, answer: str) -> list[str]:
    """The texts of the answer's tokens. Raises InputError where they do not make the answer when joined."""
    tokens = model.split(answer)
    if not isinstance(tokens, (list, tuple)) or not all(isinstance(token, str) for token in tokens) or not tokens:
        raise InputError("The language model must split an answer into a list of texts.")
    if "".join(tokens) != answer:
        raise InputError("The tokens that the language model splits an answer into do not make that answer.")
    return list(tokens)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def describe_language_model(model: object) -> dict[str, Any]:
    """How a language model calls itself, for the explanation's settings: plain values only."""
    said: dict[str, Any] = {"language_model": str(getattr(model, "name", type(model).__name__))}
    for name in ("weights", "device", "dtype"):
        said |= {f"language_model_{name}": str(getattr(model, name))} if hasattr(model, name) else {}
    more = {"settings": getattr(model, "settings", {}), "template": model.describe() if hasattr(model, "describe") else {}}
    return said | {f"language_model_{name}": _keep_plain(values) for name, values in more.items()}


def _keep_plain(values: Any) -> dict[str, Any]:
    """A dict with text for whatever else could not be written down."""
    return {str(n): v if isinstance(v, (bool, int, float, str, type(None))) else str(v) for n, v in dict(values).items()}


def describe_known(known: Known | None) -> dict[str, Any]:
    """The same for the explanation's settings: plain values only, none where the editor says nothing."""
    if known is None:
        return {}
    return {"knows": known.what, "picture_distance": known.distance, "untaught": list(known.untaught)}


def describe_models(editor: object, embedder: object) -> dict[str, Any]:
    """How editor and embedder call themselves, for the explanation's settings: plain values only."""
    said: dict[str, Any] = {
        "editor": str(getattr(editor, "name", type(editor).__name__)),
        "embedder": str(getattr(embedder, "name", type(embedder).__name__)),
    }
    for name in ("weights", "device", "dtype"):
        said |= {f"editor_{name}": str(getattr(editor, name))} if hasattr(editor, name) else {}
        said |= {f"embedder_{name}": str(getattr(embedder, name))} if hasattr(embedder, name) else {}
    for name in ("lora", "revision"):  # most have neither
        said |= {f"editor_{name}": str(getattr(editor, name))} if getattr(editor, name, None) else {}
    return said | {"editor_settings": _keep_plain(getattr(editor, "settings", {}))}
