"""A scenario suite: the file that says what is explained, checked in full before any model is loaded.

    name: weather                       # and, where one likes, a description
    attributes:                         # conditions of the domain, and their values as they are said in an instruction
      weather: [snowing, raining, sunny]
      car colour: {of: road users, values: [red, blue]}
    templates:                          # {attribute} stands for each of its values in turn
      - Transform the weather to make it {weather}
      - text: paint the car {car colour}
        relevant: [car, "{car colour}"] # the words that should matter; on Toy Road its grammar knows them
    pictures:
      - toyroad: {count: 10, seed: 3}   # drawn scenes, with any field of a scene fixed; or one scene by its fields
      - path: street.png                # below the suite's folder; with region and shows: {attribute: value} if need be
    editors:
      - name: instruct-pix2pix          # with weights and settings as for load_editor
    language_model: toyroad             # instead of pictures and editors; the templates are prompts then, and may say the
                                        # answer that they should get (answer: "The car is {car colour}.")
    seed: 0                             # this and the rest may be left out
    edits: null
    options: {noise_seeds: 2}           # of smile.explain, or smile.explain_answer
    trust: false                        # true: stability, consistency and faithfulness too, with some six times the edits

An attribute belongs to one of those that the taxonomies of operational design domains have in common. BSI PAS 1883:2020
and ISO 34503:2023 divide a domain into scenery, environmental conditions (among them weather, particulates such as mist
and fog, and illumination) and dynamic elements, which are here the road users; SAE J3016 defines the term, and
AVSC00002202004 is a lexicon for it. The season is an addition of this project.
"""

import re
from collections.abc import Mapping
from itertools import product
from math import prod
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field

from smile.ask import fill_options
from smile.errors import InputError
from smile.method import design, prompts, units
from smile.options import DEFAULTS, Options
from smile.scenarios import source
from smile.scenarios.fields import (
    LARGEST,
    Entry,
    Several,
    Text,
    check_at,
    check_choice,
    check_keys,
    check_number,
    find_repeated,
    fits,
    parse,
    require,
    shorthand,
)
from smile.scenarios.models import Model, ModelEntry, check_editors, list_editors, make_language_model
from smile.scenarios.pictures import Picture, PictureEntry, list_pictures

ODD = {
    "weather": "environmental conditions",
    "particulates": "environmental conditions",
    "illumination": "environmental conditions",
    "season": "environmental conditions",
    "road users": "dynamic elements",
    "scenery": "scenery",
}
OPTIONS = tuple(name for name in DEFAULTS if name not in ("seed", "edits", "join", "hold"))  # said elsewhere, or of one text
ASKED = "language_model"  # the field of a suite that asks one
TOKEN = re.compile(r"(?:\{[^{}]*\}|\S)+")
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
MAX_CELLS = 10_000
MAX_VALUES = 100


class Limits(NamedTuple):
    """How large a suite may be where it is run, what one does with a larger one, and whether pictures may be files and a
    language model any folder or repository."""

    cells: int = MAX_CELLS
    edits: int = design.MAX_EDITS  # in one cell
    values: int = 10 * MAX_VALUES  # of all attributes together: every two of them are a pair in the report
    bytes: int = source.MAX_BYTES
    files: bool = True
    otherwise: str = "split it"


class Slot(NamedTuple):
    """Where a word of an instruction comes from: the token of the template, and which of that token's words it is."""

    token: int
    part: int
    attribute: str | None  # whose value it says


class Attribute(Entry):
    """A condition of the domain; `of` is what it belongs to: one of ODD where pictures are edited."""

    of: Text
    values: Several[Text]


class Template(Entry):
    """An instruction or prompt with placeholders; `relevant` are the tokens that should matter, and `answer` is what a
    language model should say, both empty where nobody said so."""

    text: Text
    relevant: Several[Text] = ()
    answer: Text = ""

    @property
    def tokens(self) -> list[str]:
        """The text's words, a placeholder that has several counted as one."""
        return TOKEN.findall(self.text)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names in the placeholders, in the order in which they come."""
        return tuple(dict.fromkeys(PLACEHOLDER.findall(self.text)))

    def fill_in(self, values: Mapping[str, str]) -> tuple[str, list[Slot]]:
        """The instruction with these values, by attribute, and where each of its words comes from."""
        words, slots = [], []
        for order, token in enumerate(self.tokens):
            attribute = next(iter(PLACEHOLDER.findall(token)), None)
            filled = token if attribute is None else token.replace(f"{{{attribute}}}", values[attribute])
            for part, word in enumerate(filled.split()):
                words.append(word)
                slots.append(Slot(order, part, attribute))
        return " ".join(words), slots

    def fill_in_answer(self, values: Mapping[str, str]) -> str:
        """The answer with these values, by attribute; "" where there is none."""
        return PLACEHOLDER.sub(lambda found: values[found[1]], self.answer)


def _expand_attributes(given: Any) -> dict:
    """A list stands for values, and an attribute of whose kind nothing is said is of the kind with its name."""
    if not isinstance(given, dict) or not given:
        raise InputError("The attributes must be a mapping with at least one attribute in it.")
    expanded = {name: {"values": entry} if isinstance(entry, list) else entry for name, entry in given.items()}
    return {name: {"of": name} | entry if isinstance(entry, dict) else entry for name, entry in expanded.items()}


def _check_options(given: Any) -> dict[str, Any]:
    check_keys(OPTIONS, (), given)
    Options.of(given)
    return given


class _CommonFields(Entry):
    """What a suite says in its file as it means it."""

    name: Text
    attributes: Annotated[dict[Text, Attribute], BeforeValidator(_expand_attributes)]
    templates: Several[Annotated[Template, shorthand(str, "text")]]
    description: Text = ""
    seed: Annotated[int, fits(check_number, "whole number", 0, LARGEST)] = 0
    edits: Annotated[int, fits(check_number, "whole number", 2, LARGEST)] | None = None
    options: Annotated[dict[str, Any], fits(_check_options)] = Field(default_factory=dict)
    trust: Annotated[bool, fits(check_choice, (True, False))] = False


class _File(_CommonFields):
    pictures: Several[PictureEntry] = ()
    editors: Several[Annotated[ModelEntry, shorthand(str, "name")]] = ()
    language_model: Annotated[ModelEntry, shorthand(str, "name")] = Field(default_factory=lambda: ModelEntry(name="toyroad"))


class Suite(_CommonFields):
    """`plain` is what the file says, the rest what it means: `models` are editors, or one language model, which has no
    `pictures`."""

    pictures: list[Picture]
    models: list[Model]
    plain: dict

    @property
    def asks(self) -> bool:
        """Whether it asks a language model, instead of having pictures edited."""
        return ASKED in self.plain

    @property
    def method(self) -> dict[str, Any]:
        """All of the method's options as they will be."""
        options = fill_options(self.options) if self.asks else self.options
        return Options.of(options | {"edits": self.edits}).settings()

    def list_instructions(self, template: Template) -> list[dict[str, str]]:
        """The values, by attribute, of each instruction that the template makes."""
        values = [self.attributes[name].values for name in template.attributes]
        return [dict(zip(template.attributes, chosen, strict=True)) for chosen in product(*values)]


def read_suite(path, limits: Limits = Limits()) -> Suite:  # noqa: B008 - a tuple, which nobody can change
    """The suite in a YAML or JSON file. Raises InputError, in one sentence, for whatever is not as it should be."""
    path = Path(path)
    return make_suite(source.read_mapping(path, limits.bytes), path.parent if limits.files else None, limits)


def make_suite(plain: dict, folder: Path | None, limits: Limits, runs: bool = True) -> Suite:
    """The suite that a file's plain values describe.

    folder: where its pictures lie, None where they may be no files; runs: whether it must be possible to run it here.

    Raises InputError, in one sentence, for whatever is not as it should be.
    """
    file, asks = parse(_File, plain, "a suite"), ASKED in plain
    require(not asks or "editors" not in plain, f"A suite has either editors or a language model; take out editors or {ASKED}.")
    require(not asks or "pictures" not in plain, "A language model is shown no pictures; take them out of the suite.")
    if not asks:
        check_at("a suite", check_keys, _File.model_fields, ("pictures", "editors"), plain)
    _check_attributes(file.attributes, limits, asks)
    for order, template in enumerate(file.templates, 1):
        _check_template(template, f"template {order}", file.attributes)
        require(asks or not template.answer, f"Template {order} says an answer, and an editor gives none; take it out.")
    twice = find_repeated(template.text for template in file.templates)
    require(twice is None, f"The template “{twice}” is there twice.")
    values = {name: attribute.values for name, attribute in file.attributes.items()}
    pictures = list_pictures(file.pictures, values, folder, opens=runs)
    anywhere = limits.files or not runs
    models = [make_language_model(file.language_model, anywhere)] if asks else list_editors(file.editors)
    meaning = {"pictures": pictures, "models": models, "plain": plain}
    suite = Suite.model_construct(**dict(file) | meaning)
    _check_size(suite, limits)
    if runs:
        _check_instructions(suite)
        if not asks:
            check_editors(suite.models)
            _check_regions(suite)
    return suite


def _check_attributes(attributes: Mapping[str, Attribute], limits: Limits, asks: bool) -> None:
    count = 0
    for name, attribute in attributes.items():
        if not asks:
            check_at(f"“of” of attribute “{name}”", check_choice, ODD, attribute.of)
        require(not set("{}") & set(name), f"The attribute “{name}” must not have braces in its name.")
        require(len(attribute.values) <= MAX_VALUES, f"The attribute “{name}” has more than {MAX_VALUES} values.")
        twice = find_repeated(attribute.values)
        require(twice is None, f"The value “{twice}” of attribute “{name}” is there twice.")
        count += len(attribute.values)
    require(count <= limits.values, f"The suite has {count} values, at most {limits.values} are run; {limits.otherwise}.")


def _check_template(template: Template, place: str, attributes: Mapping[str, Attribute]) -> None:
    tokens = template.tokens
    for token in tokens:
        names = PLACEHOLDER.findall(token)
        require(len(names) < 2, f"{token} in {place} has two placeholders in one word; put a space between them.")
        require(not set("{}") & set(PLACEHOLDER.sub("", token)), f"A brace in {place} has no counterpart.")
        for name in names:
            check_at(f"the placeholder {{{name}}} in {place}", check_choice, attributes, name)
    there = ", ".join(f"{{{name}}}" for name in attributes)
    require(template.attributes, f"{place.capitalize()} has no placeholder; use {there}.")
    for name in PLACEHOLDER.findall(template.answer):
        check_at(f"the placeholder {{{name}}} in the answer of {place}", check_choice, template.attributes, name)
    for order, word in enumerate(template.relevant, 1):
        check_at(f"relevant word of {place}, no. {order}", check_choice, dict.fromkeys(tokens), word)


def _check_size(suite: Suite, limits: Limits) -> None:
    each_picture = [prod(len(suite.attributes[name].values) for name in t.attributes) for t in suite.templates]
    count = sum(each_picture) * (1 if suite.asks else len(suite.pictures)) * len(suite.models)
    require(count <= limits.cells, f"The suite has {count} cells, and at most {limits.cells} are run; {limits.otherwise}.")
    most = max(suite.method[name] or 0 for name in ("edits", "seeds", "noise_seeds"))
    require(most <= limits.edits, f"The suite asks for {most} edits or seeds in a cell; at most {limits.edits} are made.")


def _check_instructions(suite: Suite) -> None:
    """What explain, or explain_answer, would say of an instruction before it loads anything."""
    chosen, what = suite.method, "prompt" if suite.asks else "instruction"
    require(not suite.asks or chosen["distance"] != "patches", "Answers have no patches; choose another distance in options.")
    require(
        not suite.asks or chosen["reference"] == "edit", "Answers have no input picture; take the reference out of options."
    )
    fine = set[int]()  # numbers of words
    for template in suite.templates:
        for values in suite.list_instructions(template):
            said, _ = template.fill_in(values)
            try:
                k = len(prompts.split_prompt(said, "words").names) if suite.asks else len(units.words(said))
                default = design.default_prompts(k) if suite.asks else design.default_edits(k)
                if k not in fine:
                    design.choose(k, chosen["edits"] or default, chosen["design"], suite.seed)
                    fine.add(k)
            except InputError as error:
                raise InputError(f"The {what} “{said[:100]}” cannot be explained: {error}") from error


def _check_regions(suite: Suite) -> None:
    for model in suite.models:
        for picture in suite.pictures:
            has = not model.takes_region or picture.scene or picture.region_path
            require(has, f"{model.name} needs a region, the part that may change; give one to the picture {picture.name}.")
