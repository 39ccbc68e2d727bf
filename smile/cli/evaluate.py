"""`smile evaluate ... --out DIR`: how far to believe an explanation, made for it or saved before."""

import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from smile.cli import explain
from smile.cli.output import follow_stream, make_folder, print_columns, print_explanation, save_explanation
from smile.cli.terminal import defer_signals, show
from smile.errors import InputError
from smile.evaluation import answer_trust, relevance, report_card
from smile.evaluation.evaluate import PARTS, measure_trust
from smile.evaluation.relevance import Labels
from smile.explanation import AnswerExplanation, Explanation, load
from smile.io.atomic import write_file
from smile.io.own_folder import PAGE, TRUST
from smile.method.units import words
from smile.models.editors import EDITORS, is_place
from smile.report.trust_html import TrustEntry
from smile.toyroad.grammar import label_words

HELP = "how far to believe an explanation: fidelity, accuracy, stability, consistency, faithfulness"
WITH_BUNDLE = ("command", "bundle", "device", "out", "relevant", "parts", "cache", "threads", "overwrite")
HOLDS = {True: "yes", False: "no", None: ""}


def add_command(commands) -> None:
    """Add the command to argparse's `commands`."""
    parser = commands.add_parser("evaluate", help=HELP, description=f"{HELP.capitalize()}.")
    parser.set_defaults(command=lambda args: run_evaluate(args, parser.get_default))
    explain.add_arguments(parser, required=False)
    bundle = "an explanation that was saved, instead of a picture and an instruction"
    parser.add_argument("--bundle", metavar="FILE", help=bundle)
    relevant = "the words that should matter, “snow, night”, or their positions, “3, 5”; by default what is known of them"
    parser.add_argument("--relevant", metavar="WORDS", help=relevant)
    parts = f"what to measure with further edits (default {','.join(PARTS)}); “” for nothing"
    parser.add_argument("--parts", default=",".join(PARTS), metavar="PARTS", help=parts)


def run_evaluate(args, get_default: Callable[[str], Any]) -> int:
    """Returns the exit status, as `explain.run_explain`. `get_default` gives what an argument is when it is not given."""
    explain.prepare_process(args.threads)
    parts = _split_parts(args.parts)
    explanation = None if args.bundle is None else _open_bundle(args, get_default)
    if isinstance(explanation, AnswerExplanation):
        return _evaluate_answer(args, explanation, parts)
    for name in ("image", "instruction", "editor"):
        if explanation is None and getattr(args, name) is None:
            raise InputError(f"There is nothing to evaluate; give --{name}, or --bundle.")
    labels = _choose_labels(args.relevant, args.instruction if explanation is None else explanation.instruction)

    status, editor, embedder = 0, None, args.embedder
    if explanation is None:
        image, editor = explain.check_input(args), explain.load_chosen_editor(args)
        explanation, status = explain.explain_picture(args, image, editor)
        if explanation is None:
            return status
    elif parts:
        editor, embedder = _load_editor_of(explanation, args.device), explanation.settings.get("embedder_weights")
    save_explanation(explanation, args.out, args.overwrite)
    print_explanation(explanation)
    measurement = None
    if parts and not status:
        stream = measure_trust(explanation, editor, embedder=embedder, parts=parts, cache=args.cache)
        measurement, status = follow_stream(stream, "further edits")
    entries = report_card.report_explanation(explanation, None if labels is None else labels.relevant)
    entries += [] if measurement is None else measurement.entries.values()
    done = 0 if measurement is None else measurement.done
    _write_report(args.out, explanation, entries, report_card.build_report(explanation, entries, labels, done))
    _print_report(entries, labels)
    return status


def _evaluate_answer(args, explanation: AnswerExplanation, parts: Collection[str]) -> int:
    """The same of a language model's answer; its further prompts are asked together."""
    from smile import load_language_model

    labels = None if args.relevant is None else relevance.parse_labels(args.relevant, explanation.words)
    save_explanation(explanation, args.out, args.overwrite)
    print_explanation(explanation)
    measurement, status = None, 0
    if parts and explanation.log_probs is not None:
        of = explanation.settings
        model = load_language_model(of["language_model"], device=args.device)
        measurement, status = follow_stream(answer_trust.measure_answer_trust(explanation, model), "further prompts")
    entries = answer_trust.report_answer(explanation, labels)
    entries += [] if measurement is None else measurement.entries.values()
    done = 0 if measurement is None else measurement.done
    _write_report(args.out, explanation, entries, report_card.build_report(explanation, entries, labels, done))
    _print_report(entries, labels)
    return status


def _write_report(
    folder: str, explanation: Explanation | AnswerExplanation, entries: list[TrustEntry], report: dict[str, Any]
) -> None:
    """trust.json, and the page with the report in it."""
    text = json.dumps(report, ensure_ascii=False, indent=1, allow_nan=False)
    with defer_signals():
        write_file(Path(folder) / TRUST, f"{text}\n")
        write_file(Path(folder) / PAGE, explanation.encode(".html", entries))


def _split_parts(text: str) -> tuple[str, ...]:
    parts = tuple(filter(None, map(str.strip, text.split(","))))
    if not set(parts) <= set(PARTS):
        raise InputError(f"There is nothing called “{text}” to measure; there is {', '.join(PARTS)}.")
    return parts


def _open_bundle(args, get_default: Callable[[str], Any]) -> Explanation | AnswerExplanation:
    """The saved explanation. Raises InputError, too, where something was asked for that the bundle has decided."""
    for name, value in vars(args).items():
        if name not in WITH_BUNDLE and value != get_default(name):
            raise InputError(f"The bundle says how it was run; leave --{name.replace('_', '-')} out.")
    explanation = load(args.bundle)
    make_folder(args.out, args.overwrite)
    return explanation


def _choose_labels(text: str | None, instruction: str) -> Labels | None:
    """Which words should matter: what `text` says, or by default what is known of the instruction."""
    split = words(instruction)
    return relevance.find_labels(split, label_words) if text is None else relevance.parse_labels(text, split)


def _load_editor_of(explanation: Explanation, device: str | None) -> Any:
    """The editor that made it, with its settings. Raises InputError where there is none of that name."""
    from smile import load_editor

    of = explanation.settings
    if of["editor"] not in EDITORS and not is_place(of["editor"]):
        raise InputError(f"This explanation is of an editor that is not here, {of['editor']}; measure it in Python.")
    editor = load_editor(of["editor"], of.get("editor_weights", "auto"), device, lora=of.get("editor_lora"))
    return editor.with_settings(**of["editor_settings"]) if hasattr(editor, "with_settings") else editor


def _print_report(entries: Sequence[TrustEntry], labels: Labels | None) -> None:
    rows = [("measure", "figure", "value", "good")]
    for entry in entries:
        for number, figure in enumerate(entry.figures):
            rows.append((entry.name if not number else "", figure.label, figure.text, HOLDS[figure.holds]))
    show()
    print_columns(rows)
    for entry in entries:
        good = f" {entry.detail} Good: {entry.good} ({entry.source})." if entry.good else ""
        show(f"\n{entry.name}: {entry.sentence}{good}")
    if labels is not None:
        show(f"\nWhich words should matter: {labels.source}.")
