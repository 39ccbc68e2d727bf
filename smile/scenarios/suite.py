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
    seed: 0                             # this and the rest may be left out
    edits: null
    options: {noise_seeds: 2}           # of smile.explain
    trust: false                        # true: stability, consistency and faithfulness too, with some six times the edits

An attribute belongs to one of those that the taxonomies of operational design domains have in common. BSI PAS 1883:2020
and ISO 34503:2023 divide a domain into scenery, environmental conditions (among them weather, particulates such as mist
and fog, and illumination) and dynamic elements, which are here the road users; SAE J3016 defines the term, and
AVSC00002202004 is a lexicon for it. The season is an addition of this project.
"""

import re
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import NamedTuple

from smile.errors import InputError
from smile.method import design
from smile.method import units as instructions
from smile.models.editors import EDITORS
from smile.options import DEFAULTS, Options
from smile.scenarios import source
from smile.scenarios.fields import each, known, listed, need, number, text, whole
from smile.scenarios.pictures import Picture, pictures

ODD = {
    "weather": "environmental conditions",
    "particulates": "environmental conditions",
    "illumination": "environmental conditions",
    "season": "environmental conditions",
    "road users": "dynamic elements",
    "scenery": "scenery",
}
REQUIRED = ("name", "attributes", "templates", "pictures", "editors")
KEYS = (*REQUIRED, "description", "seed", "edits", "options", "trust")
OPTIONS = {name: value for name, value in DEFAULTS.items() if name not in ("seed", "edits")}  # which a suite says elsewhere
TOKEN = re.compile(r"(?:\{[^{}]*\}|\S)+")
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
MAX_CELLS = 10_000
MAX_VALUES = 100


class Limits(NamedTuple):
    """How large a suite may be where it is run, what one does with a larger one, and whether pictures may be files."""

    cells: int = MAX_CELLS
    edits: int = design.MAX_EDITS  # in one cell
    values: int = 10 * MAX_VALUES  # of all attributes together: every two of them are a pair in the report
    bytes: int = source.MAX_BYTES
    files: bool = True
    otherwise: str = "split it"


class Attribute(NamedTuple):
    """A condition of the domain; `of` is the one of ODD that it belongs to."""

    name: str
    of: str
    values: tuple[str, ...]


class Slot(NamedTuple):
    """Where a word of an instruction comes from: the token of the template, and which of that token's words it is."""

    token: int
    part: int
    attribute: str | None  # whose value it says


class Template(NamedTuple):
    text: str
    attributes: tuple[str, ...]  # in the order in which they come
    relevant: tuple[str, ...] | None  # the tokens that should matter, if somebody said so

    @property
    def tokens(self) -> list[str]:
        return TOKEN.findall(self.text)

    def fill_in(self, values: dict[str, str]) -> tuple[str, list[Slot]]:
        """The instruction with these values, and where each of its words comes from."""
        words, slots = [], []
        for number_, token in enumerate(self.tokens):
            attribute = next(iter(PLACEHOLDER.findall(token)), None)
            spelt = token if attribute is None else token.replace(f"{{{attribute}}}", values[attribute])
            for part, word in enumerate(spelt.split()):
                words.append(word)
                slots.append(Slot(number_, part, attribute))
        return " ".join(words), slots


class Editor(NamedTuple):
    """An editor with its weights and settings; `label` is its name, with more where two would be called the same."""

    label: str
    name: str
    weights: str
    settings: tuple[tuple[str, float], ...]

    @property
    def takes_region(self) -> bool:
        return EDITORS[self.name].needs_region


@dataclass(frozen=True)
class Suite:
    """`plain` is what the file says, `folder` where it lies; the rest is what it means."""

    name: str
    description: str
    attributes: dict[str, Attribute]
    templates: list[Template]
    pictures: list[Picture]
    editors: list[Editor]
    seed: int
    edits: int | None
    options: dict
    trust: bool
    plain: dict
    folder: Path

    @property
    def method(self) -> dict:
        """All of explain's options as they will be."""
        return _chosen(self.options, self.edits)

    def list_instructions(self, template: Template) -> list[dict[str, str]]:
        """The values, by attribute, of each instruction that the template makes."""
        values = [self.attributes[name].values for name in template.attributes]
        return [dict(zip(template.attributes, each_, strict=True)) for each_ in product(*values)]


def read_suite(path, limits: Limits = Limits()) -> Suite:  # noqa: B008 - a tuple, which nobody can change
    """The suite in a YAML or JSON file. Raises InputError, in one sentence, for whatever is not as it should be."""
    path = Path(path)
    plain = source.read(path, limits.bytes)
    known(plain, "a suite", KEYS, REQUIRED)
    attributes = _attributes(plain["attributes"])
    values = sum(len(attribute.values) for attribute in attributes.values())
    need(values <= limits.values, f"The suite has {values} values, at most {limits.values} are run; {limits.otherwise}.")
    templates = [_template(entry, where, attributes) for where, entry in each(plain["templates"], "template")]
    editors = _editors(plain["editors"])
    texts = [template.text for template in templates]
    for text_ in texts:
        need(texts.count(text_) == 1, f"The template “{text_}” is there twice.")
    suite = Suite(
        name=text(plain["name"], "name"),
        description=text(plain["description"], "description") if "description" in plain else "",
        attributes=attributes,
        templates=templates,
        pictures=pictures(plain["pictures"], path.parent if limits.files else None, attributes),
        editors=editors,
        seed=whole(plain.get("seed", 0), "seed", 0),
        edits=None if plain.get("edits") is None else whole(plain["edits"], "edits", 2),
        options=_options(plain.get("options", {})),
        trust=listed(plain.get("trust", False), "trust", (True, False)),
        plain=plain,
        folder=path.parent,
    )
    _check_size(suite, limits)
    _check_instructions(suite)
    _check_regions(suite)
    return suite


def _attributes(entries) -> dict[str, Attribute]:
    need(isinstance(entries, dict) and entries, "The attributes must be a mapping with at least one attribute in it.")
    found = {}
    for name, entry in entries.items():
        name = text(name, "the name of an attribute")
        need(not set("{}") & set(name), f"The attribute “{name}” must not have braces in its name.")
        where = f"attribute “{name}”"
        entry = {"values": entry} if isinstance(entry, list) else entry
        known(entry, where, ("of", "values"), ("values",))
        of = listed(entry.get("of", name), f"of, what {where} is an attribute of,", ODD)
        values = [text(value, where_) for where_, value in each(entry["values"], f"value of {where}, no.")]
        need(len(values) <= MAX_VALUES, f"The {where} has more than {MAX_VALUES} values.")
        for value in values:
            need(values.count(value) == 1, f"The value “{value}” of {where} is there twice.")
        found[name] = Attribute(name, of, tuple(values))
    return found


def _template(entry, where: str, attributes: dict) -> Template:
    entry = {"text": entry} if isinstance(entry, str) else entry
    known(entry, where, ("text", "relevant"), ("text",))
    written = text(entry["text"], f"text of {where}")
    tokens = TOKEN.findall(written)
    found = []
    for token in tokens:
        names = PLACEHOLDER.findall(token)
        need(len(names) < 2, f"{token} in {where} has two placeholders in one word; put a space between them.")
        need(not set("{}") & set(PLACEHOLDER.sub("", token)), f"A brace in {where} has no counterpart.")
        for name in names:
            listed(name, f"the placeholder {{{name}}} in {where}", attributes)
        found += names
    need(found, f"{where.capitalize()} has no placeholder; use {', '.join(f'{{{name}}}' for name in attributes)}.")
    relevant = None
    if "relevant" in entry:
        given = each(entry["relevant"], f"relevant word of {where}, no.")
        relevant = tuple(listed(word, where_, dict.fromkeys(tokens)) for where_, word in given)
    return Template(written, tuple(dict.fromkeys(found)), relevant)


def _editors(entries) -> list[Editor]:
    found = []
    for where, entry in each(entries, "editor"):
        entry = {"name": entry} if isinstance(entry, str) else entry
        known(entry, where, ("name", "weights", "settings"), ("name",))
        name = listed(entry["name"], f"name of {where}", EDITORS)
        weights = text(entry.get("weights", "auto"), f"weights of {where}")
        settings = entry.get("settings", {})
        need(isinstance(settings, dict), f"settings of {where} must be a mapping of names to numbers.")
        settings = {text(n, f"a setting of {where}"): number(v, f"{n} of {where}") for n, v in settings.items()}
        found.append(Editor(name, name, weights, tuple(sorted(settings.items()))))
    for editor in found:
        need(found.count(editor) == 1, f"The editor {editor.name} is there twice with the same weights and settings.")
    names = [editor.name for editor in found]
    return [e if names.count(e.name) == 1 else e._replace(label=_long_label(e)) for e in found]


def _long_label(editor: Editor) -> str:
    return ", ".join([editor.name, editor.weights, *(f"{name} {value:g}" for name, value in editor.settings)])


def _options(given) -> dict:
    known(given, "options", OPTIONS)
    Options.of(given)
    return dict(given)


def _chosen(options: dict, edits: int | None) -> dict:
    """All of explain's options as they will be."""
    return Options.of(options | {"edits": edits}).settings()


def _check_size(suite: Suite, limits: Limits) -> None:
    each_picture = [prod(len(suite.attributes[name].values) for name in t.attributes) for t in suite.templates]
    count = sum(each_picture) * len(suite.pictures) * len(suite.editors)
    need(count <= limits.cells, f"The suite has {count} cells, and at most {limits.cells} are run; {limits.otherwise}.")
    most = max(suite.method[name] or 0 for name in ("edits", "seeds", "noise_seeds"))
    need(most <= limits.edits, f"The suite asks for {most} edits or seeds in a cell; at most {limits.edits} are made.")


def _check_instructions(suite: Suite) -> None:
    """What explain would say of an instruction before it loads anything."""
    chosen = suite.method
    for template in suite.templates:
        for values in suite.list_instructions(template):
            said, _ = template.fill_in(values)
            try:
                k = len(instructions.words(said))
                design.choose(k, chosen["edits"] or design.default_edits(k), chosen["design"], suite.seed)
            except InputError as error:
                raise InputError(f"The instruction “{said[:100]}” cannot be explained: {error}") from error


def _check_regions(suite: Suite) -> None:
    for editor in suite.editors:
        for picture in suite.pictures:
            has = not editor.takes_region or picture.scene or picture.region_path
            need(has, f"{editor.name} needs a region, the part that may change; give one to the picture {picture.name}.")
