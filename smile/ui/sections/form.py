"""What is asked: picture, instruction, editor, region, options; what a run of it would take; and the buttons that run it."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import gradio as gr
from PIL import Image

from smile import Explanation, InputError
from smile.io.images import open_region
from smile.method import design
from smile.models.editors import EDITORS
from smile.models.hub import is_bundled
from smile.options import PRESETS
from smile.report.jinja import render
from smile.ui import machine, texts, validation
from smile.ui.components import AskBar, Choice, Examples, Pick, Picture, PictureSources, RegionPainter, draw_canvas, draw_region
from smile.ui.engine import Engine
from smile.ui.estimate import Outlook, count_edits
from smile.ui.events import AT_ONCE, EDITING, PRIVATE, Changes, Values, get_props, switch_buttons
from smile.ui.examples import list_examples
from smile.ui.runs import find_chosen
from smile.ui.sections.hub_editor import HubEditor

SIGNED = ("picture", "instruction", "edits", "edits_chosen", "seed", "editor", "weights", "method", "region")
FIELDS = ("picture", "instruction", "edits", "seed", "editor", "weights", "method", "region", "region_column", "edits_chosen")
BAR = {"form": "#ask", "text": "#instruction textarea", "kind": "#editor label.selected", "picture": "#picture img"}
BAR |= {"start": "#explain", "stop": "#stop"}
RANDOM_SEED = "() => Math.floor(Math.random() * 1e6)"


class Form:
    """The column "ask" of the first tab."""

    def __init__(self, engine: Engine):
        self.engine, self.hub_editor = engine, HubEditor(self)

    def build(self, first: dict[str, Any]) -> None:
        """The components, filled with `first`, which `describe` returned."""
        self.bar = AskBar(BAR, elem_id="ask-bar")
        with gr.Row(elem_id="picture-row"):
            self.picture = Picture(
                first["picture"],
                label="Picture",
                type="filepath",
                interactive=False,
                buttons=[],
                show_label=False,
                alt_text="Your picture",
                elem_id="picture",
            )
            with gr.Column(elem_id="picture-sources", min_width=80):
                self.upload_button = gr.UploadButton("Upload", file_types=["image"], size="sm", elem_id="upload")
                PictureSources(elem_id="more-sources")
        self.examples = Examples(list_examples(), elem_id="examples")
        self.instruction = gr.Textbox(
            first["instruction"],
            label="What should change?",
            placeholder="make it snow",
            max_lines=2,
            elem_id="instruction",
        )
        self.editor = Pick(label="Editor", elem_id="editor", **get_props(first["editor"]))
        with gr.Column(elem_id="region", **get_props(first["region_column"])) as self.region_column:
            self._build_region(first)
        with gr.Row(elem_id="amounts"):
            self.weights = Choice(label="Weights", elem_id="weights", min_width=60, **get_props(first["weights"]))
            self.edits = gr.Number(first["edits"], label="Edits", min_width=40, elem_id="edits")
            self.seed = gr.Number(first["seed"], label="Seed", min_width=40, elem_id="seed")
        with gr.Row(elem_id="method-row"):
            self.method = gr.Radio(texts.METHODS, value=first["method"], label="Method", elem_id="method", min_width=80)
            with gr.Accordion("Advanced", open=False, elem_id="advanced"):
                self._build_advanced(first)
        with gr.Column(elem_id="do"):
            with gr.Row():
                self.explain_button = gr.Button("Explain", variant="primary", min_width=80, elem_id="explain")
                self.stop_button = gr.Button("Stop", interactive=False, min_width=60, elem_id="stop")
            self.compare_button = gr.Button(texts.COMPARE, elem_id="compare")
            self.progress = gr.HTML(texts.say(texts.REPLAYED), elem_id="progress")
            self.check_button = gr.Button(texts.CHECK, visible=False, size="sm", elem_id="check-model")
            self.unknown = gr.HTML(elem_id="unknown")  # what the weights never saw of what is asked
            self.full_button = gr.Button("Use the full weights", visible=False, elem_id="use-full")
            self.fall_back_button = gr.Button("Use the bundled weights", visible=False, elem_id="fall-back")
            self.plan_text = gr.HTML(elem_id="plan")
        self.edits_chosen = gr.State(False)  # whether the visitor set the number of edits, which else follows the instruction

    def _build_region(self, first: dict[str, Any]) -> None:
        """Where the region is painted, said, or taken from a file."""
        self.region = RegionPainter(elem_id="painter", **get_props(first["region"]))
        with gr.Row():
            self.phrase = gr.Textbox(
                label="What the region shows",
                show_label=False,
                placeholder="or say it: the sky",
                max_lines=1,
                container=False,
                scale=3,
                min_width=80,
                elem_id="phrase",
            )
            self.find_button = gr.Button("Find", size="sm", min_width=50, elem_id="find")
            self.region_file = gr.UploadButton("File", file_types=["image"], size="sm", min_width=50, elem_id="region-file")

    def _build_advanced(self, first: dict[str, Any]) -> None:
        """What most people leave as it is."""
        gr.HTML(render("ui/templates/methods.html", published=texts.PUBLISHED), elem_id="methods")
        self.hub_editor.build()
        self.random_seed_button = gr.Button("Random seed", size="sm", min_width=104, elem_id="random-seed")
        self.settings = {
            name: gr.Number(first[name], label=label, info=info, visible=False, elem_id=f"setting-{name}")
            for name, (label, info) in texts.SETTINGS.items()
        }
        self.options = {name: _build_option(name) for name in texts.OPTIONS}

    @property
    def fields(self) -> dict[str, Any]:
        """The components that hold what is asked, by name."""
        return {name: getattr(self, name) for name in FIELDS} | self.settings | self.options

    @property
    def signed(self) -> dict[str, Any]:
        """The components that an answer depends on, by name."""
        return {name: part for name, part in self.fields.items() if name != "region_column"}

    def sign(self, values: dict[str, Any]) -> str:
        """A short text that is the same for the same question: values of `signed` by name, as they are or as gr.update."""
        plain = {name: value.get("value") if isinstance(value, dict) else value for name, value in values.items()}
        plain = {name: plain.get(name) for name in (*SIGNED, *texts.SETTINGS, *texts.OPTIONS)}
        plain["edits"] = plain["edits"] if plain.pop("edits_chosen") else None  # else it follows the words, a moment later
        plain["instruction"] = " ".join(str(plain["instruction"] or "").split())
        plain["picture"] = validation.digest_file(plain["picture"])
        known = EDITORS.get(str(plain["editor"]))
        plain["region"] = None if known and not known.needs_region else plain["region"]
        plain |= {name: float(value) for name, value in plain.items() if isinstance(value, int)}
        return hashlib.sha256(json.dumps(plain, default=str).encode()).hexdigest()

    @property
    def planned(self) -> set:
        """The components that decide what a run takes."""
        fields = {self.instruction, self.edits, self.editor, self.weights, self.method}
        return fields | {self.settings["steps"], *self.options.values()}

    @property
    def plan_outputs(self) -> list:
        """The components that `plan` fills."""
        return [self.plan_text, *self.settings.values()]

    def connect(self, page: gr.Blocks) -> None:
        """What happens while something is asked."""
        phrase, found = [self.picture, self.phrase], [self.region, self.progress]
        taken = [self.picture, self.region, self.progress]
        self.upload_button.upload(self.take_picture, self.upload_button, taken, **AT_ONCE)
        decided = [self.method, self.edits, self.edits_chosen, *self.options.values()]
        self.method.input(self.choose_method, [self.method, self.instruction], decided, **AT_ONCE)
        self.editor.input(self.take_editor, [self.editor, self.picture], [*self.fields.values(), self.progress], **AT_ONCE)
        default = self.fill(dict.fromkeys(texts.SETTINGS))  # empty fields stand for what comes with the weights
        self.weights.input(lambda: default, None, list(default), **AT_ONCE)
        gr.on([self.find_button.click, self.phrase.submit], self.find_region, phrase, found, **EDITING, **PRIVATE)
        self.region_file.upload(self.use_region_file, [self.picture, self.region_file], found, **AT_ONCE)
        self.edits.input(lambda value: value is not None, self.edits, self.edits_chosen, **AT_ONCE)
        counted = [self.instruction, self.edits_chosen, *(self.options[name] for name in texts.PHRASES)]
        gr.on([counted[0].change, *(part.change for part in counted[2:])], self.suggest_edits, counted, self.edits, **AT_ONCE)
        self.random_seed_button.click(None, None, self.seed, js=RANDOM_SEED, **PRIVATE)
        changes = [page.load, *(part.change for part in self.planned)]
        planning: dict[str, Any] = PRIVATE | {"concurrency_limit": None, "trigger_mode": "always_last"}
        gr.on(changes, self.plan, self.planned, self.plan_outputs, **planning)
        self.hub_editor.connect()
        fallen_back = [*self.fields.values(), self.fall_back_button]
        self.fall_back_button.click(self.fall_back, self.editor, fallen_back, **AT_ONCE)
        judged = {self.picture, self.instruction, self.editor, self.weights}
        told = [self.unknown, self.full_button]
        changes = [part.change for part in judged]
        gr.on(changes, self.judge, judged, told, concurrency_limit=None, trigger_mode="always_last", **PRIVATE)
        self.full_button.click(self.use_full, [self.editor, self.weights], [*self.fields.values(), self.full_button], **AT_ONCE)

    # Filling in

    def describe(self, explanation: Explanation, picture: str, region: str | Image.Image | None) -> dict[str, Any]:
        """The values, by name, with which this explanation was made. `picture` is its picture's file."""
        settings = explanation.settings
        options = {name: validation.METHOD[name] if settings[name] is None else settings[name] for name in texts.OPTIONS}
        options |= {name: ", ".join(settings[name]) for name in texts.PHRASES}
        return {
            "picture": picture,
            "region": self.show_canvas(picture, region),
            "instruction": explanation.instruction,
            **describe_edits(explanation.instruction, settings["edits"], settings["join"], settings["hold"]),
            "seed": settings["seed"],
            "method": "ours" if settings["preset"] is None else "published",
            **self.describe_editor(explanation),
            **options,
        }

    def describe_editor(self, explanation: Explanation) -> dict[str, Any]:
        """The values of the editor with which this explanation was made, as far as it is one of this page's."""
        settings = explanation.settings
        editor, weights = find_chosen(explanation)
        if editor not in EDITORS and not self.engine.is_loaded(editor, weights):
            editor, weights = settings["editor"], "auto"
        if editor not in EDITORS and not self.engine.is_loaded(editor, weights):
            return {}
        values = self.describe_choice(editor, weights)
        if values["weights"]["value"] == weights:
            numbers = {name: v for name, v in settings["editor_settings"].items() if isinstance(v, (int, float))}
            values |= {name: numbers.get(name) for name in texts.SETTINGS}
        return values

    def describe_choice(self, editor: str, weights: str = "auto") -> dict[str, Any]:
        """The values that come with an editor that is chosen."""
        sets, known = machine.list_weights(editor), EDITORS.get(editor)
        missing = ", ".join(texts.shorten_weights(each) for each in (known.weights if known else ()) if each not in sets)
        choices = [(texts.shorten_weights(each), each) for each in dict.fromkeys(("auto", *sets))]
        value = weights if weights in sets else "auto"
        editors = [
            (texts.EDITOR_NAMES.get(each, texts.shorten_weights(each)), each) for each in dict.fromkeys((*EDITORS, editor))
        ]
        info = texts.EDITORS.get(editor, known.problem if known else editor)
        return {
            "editor": gr.update(choices=editors, value=editor, info=info),
            "weights": gr.update(choices=choices, value=value, info=texts.NEEDS_GPU.format(missing) if missing else ""),
            "region_column": gr.update(visible=validation.needs_region(editor)),
            **dict.fromkeys(texts.SETTINGS),  # empty: what comes with the weights
        }

    def fill(self, values: dict[str, Any]) -> Changes:
        """The fields with these values; the others stay as they are."""
        fields = self.fields
        return {fields[name]: value for name, value in values.items()}

    def switch_buttons(self, running: bool) -> Changes:
        """The buttons while something runs, or nothing does."""
        return switch_buttons(running, self.stop_button, self.explain_button, self.compare_button)

    # Reading

    def read_settings(self, values: Values) -> dict[str, Any]:
        """The editor's settings that are filled in."""
        return {name: values[part] for name, part in self.settings.items() if values[part] is not None}

    def read_options(self, values: Values) -> dict[str, Any]:
        """The method's options that are filled in; what was published decides the most of them itself."""
        given = {name: values[part] for name, part in self.options.items() if values[part] is not None}
        if values[self.method] != "published":
            return given
        return {name: given[name] for name in texts.BESIDE_PRESET if name in given} | {"preset": "paper"}

    def check(self, values: Values) -> dict[str, Any]:
        """What is asked of any editor, see `validation.check_asked`. Raises InputError.

        The number of edits counts if the visitor chose it; else it is what the instruction needs, and the field may not
        have heard yet, if somebody types fast.
        """
        edits = values[self.edits] if values[self.edits_chosen] else None
        options = self.read_options(values)
        return validation.check_asked(values[self.picture], values[self.instruction], edits, values[self.seed], options)

    # Choosing

    def take_editor(self, editor: str, picture: str | None) -> Changes:
        """Another editor was chosen; anybody can post one that is none."""
        try:
            return self.choose_editor(editor, picture)
        except InputError as error:
            return {self.progress: texts.say_problem(error)}

    def choose_editor(self, editor: str, picture: str | None) -> Changes:
        """The fields for another editor. Raises InputError where there is none of that name here."""
        return self.fill(self.describe_choice(editor) | {"region": self.show_canvas(picture)})

    def choose_method(self, method: str, instruction: str) -> Changes:
        """Our defaults, or what was published, which the fields then show."""
        decided = PRESETS["paper"] if method == "published" else {}
        names = [name for name in texts.OPTIONS if name not in texts.PHRASES]
        values: dict[str, Any] = {name: decided.get(name, validation.METHOD[name]) for name in names}
        edits = decided.get("edits")
        values |= {"edits": edits or self.suggest_edits(instruction), "edits_chosen": edits is not None}
        return self.fill(values)

    def take_picture(self, file: str) -> Changes:
        """A picture that was uploaded; one that cannot be explained is not taken."""
        try:
            validation.open_file(file)
        except InputError as error:
            return {self.progress: texts.say_problem(f"The picture was not taken. {error}")}
        return {self.picture: file, self.region: self.show_canvas(file), self.progress: ""}

    def fall_back(self, editor: str) -> Changes:
        """The bundled weights of this editor, which need no network."""
        bundled = next(filter(is_bundled, machine.list_weights(editor) if editor in EDITORS else ()), None)
        if bundled is None:  # anybody can post any editor
            return {self.fall_back_button: gr.update(visible=False)}
        return self.fill(self.describe_choice(editor, bundled)) | {self.fall_back_button: gr.update(visible=False)}

    def judge(self, values: Values) -> Changes:
        """Say before a run what the weights never saw, and offer the full ones where they can run."""
        editor, weights = values[self.editor], values[self.weights]
        warning = validation.find_unknown(values[self.picture], values[self.instruction], editor, weights)
        offered = bool(warning and machine.find_full(editor, weights))
        return {self.unknown: texts.say_warning(warning), self.full_button: gr.update(visible=offered)}

    def use_full(self, editor: str, weights: str) -> Changes:
        """The full weights, which know more."""
        full = machine.find_full(editor, weights)
        return {self.full_button: gr.update(visible=False)} if full is None else self.fill(self.describe_choice(editor, full))

    def suggest_edits(self, instruction: str, chosen: bool = False, join: str = "", hold: str = ""):
        """The number of edits that an instruction needs, for the field, unless the visitor chose one."""
        try:
            return gr.skip() if chosen else design.default_edits(validation.count_words(instruction, join or "", hold or ""))
        except InputError:
            return gr.skip()

    # Planning

    def plan(self, values: Values) -> Iterator[Changes]:
        """What will happen, on what, and which settings the editor has.

        Said at once, and again when bundled weights are loaded. Full ones are not loaded for this: what they would take
        is estimated, unless they are coming anyway.
        """
        chosen = editor, weights = values[self.editor], values[self.weights]
        settings = {"steps": values[self.settings["steps"]]}
        try:
            if not self.engine.is_loaded(*chosen):
                yield self._show_plan(values, None)
                if is_bundled(machine.resolve_weights(*chosen)):
                    self.engine.load_in_time(*chosen)
            outlook = self.engine.describe_editor(editor, weights, settings)
            yield self._show_plan(values, outlook)
            if not outlook.loaded and self.engine.is_coming(*chosen):
                self.engine.load_in_time(*chosen)
                yield self._show_plan(values, self.engine.describe_editor(editor, weights, settings))
        except InputError as error:
            yield {self.plan_text: texts.say_problem(error)}

    def _show_plan(self, values: Values, outlook: Outlook | None) -> Changes:
        instruction, editor = values[self.instruction], values[self.editor]
        try:
            asked = validation.check_run(instruction, values[self.edits], self.read_options(values))
            phrases = {name: asked["options"].get(name, ()) for name in texts.PHRASES}
            edits, others = count_edits(validation.count_words(instruction, **phrases), asked["edits"], asked["options"])
            run, possible = texts.describe_run(edits, others, outlook), True
        except InputError as error:
            run, possible = str(error), False
        if outlook is None:
            return {self.plan_text: texts.describe_plan(None, run)}
        weights_of = machine.resolve_for_instruction
        outlooks = [outlook if n == editor else self.engine.describe_editor(n, weights_of(n), {}) for n in EDITORS]
        comparison = texts.describe_comparison(edits + others, outlooks) if possible else ""
        changes: Changes = {self.plan_text: texts.describe_plan(outlook, run, comparison)}
        for name, part in self.settings.items():
            default = outlook.settings.get(name)
            changes[part] = gr.update(visible=default is not None, placeholder="" if default is None else f"{default:g}")
        return changes

    # The region

    def show_canvas(self, picture: str | None, region: str | Image.Image | None = None) -> dict[str, Any]:
        """The picture to paint a region on, with nothing painted, or with what is white in the file or picture `region`."""
        try:
            opened = validation.open_file(picture) if picture else None
            painted = None if opened is None or region is None else open_region(region, opened.size)
        except InputError:  # which a run will say
            opened = painted = None
        return gr.update(picture=draw_canvas(opened), value=draw_region(painted))

    def find_region(self, picture: str | None, phrase: str) -> Changes:
        """Paint what the phrase names, found in the picture."""
        try:
            region = validation.find_region(self.engine, validation.open_file(picture), phrase)
            return {self.region: gr.update(value=draw_region(region)), self.progress: texts.say(texts.FOUND)}
        except InputError as error:
            return {self.progress: texts.say_problem(error)}

    def use_region_file(self, picture: str | None, file: str) -> Changes:
        """Paint the region in a file."""
        try:
            region = open_region(validation.open_file(file), validation.open_file(picture).size)
            return {self.region: gr.update(value=draw_region(region)), self.progress: ""}
        except InputError as error:
            return {self.progress: texts.say_problem(error)}


def describe_edits(instruction: str, edits: int | None, join="", hold="") -> dict[str, Any]:
    """The values of the number of edits, and whether it is another than the instruction needs."""
    usual = design.default_edits(validation.count_words(instruction, join, hold))
    return {"edits": edits or usual, "edits_chosen": edits not in (None, usual)}


def _build_option(name: str):
    """The field of one of the method's options."""
    label, info = texts.OPTIONS[name]
    common = {"value": validation.METHOD[name], "label": label, "info": info, "elem_id": f"option-{name}"}
    if name in texts.PHRASES:
        return gr.Textbox(placeholder=texts.PHRASES[name], max_lines=1, **common)
    return Pick(texts.CHOICES[name], **common) if name in texts.CHOICES else gr.Number(**common)
