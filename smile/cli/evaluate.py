"""`python -m smile evaluate ... --out DIR`: how far to believe an explanation, made for it or saved before."""

import json
from pathlib import Path

from smile.cli import explain
from smile.cli.columns import print_columns
from smile.errors import InputError
from smile.io.atomic import write_file

HELP = "how far to believe an explanation: fidelity, accuracy, stability, consistency, faithfulness"
WITH_BUNDLE = ("command", "bundle", "device", "out", "relevant", "parts", "cache", "threads")
HOLDS = {True: "yes", False: "no", None: ""}


def add(commands) -> None:
    """Add the command to argparse's `commands`."""
    one = commands.add_parser("evaluate", help=HELP, description=f"{HELP.capitalize()}.")
    one.set_defaults(command=lambda args: evaluate(args, one.get_default))
    explain.arguments(one, required=False)
    one.add_argument("--bundle", metavar="FILE", help="an explanation that was saved, instead of a picture and an instruction")
    words = "the words that should matter, “snow, night”, or their positions, “3, 5”; by default what is known of them"
    one.add_argument("--relevant", metavar="WORDS", help=words)
    parts = "what to measure with further edits (default stability,consistency,faithfulness); “” for nothing"
    one.add_argument("--parts", default="stability,consistency,faithfulness", metavar="PARTS", help=parts)


def evaluate(args, default) -> int:
    """Returns the exit status: 0, 130 when interrupted. `default` gives what an argument is when it is not given."""
    from smile.evaluation import relevance, report_card
    from smile.evaluation.evaluate import PARTS, measure_trust
    from smile.explanation import Explanation
    from smile.method.units import words
    from smile.toyroad.grammar import label_words

    explain.prepare_process(args.threads)
    parts = tuple(filter(None, map(str.strip, args.parts.split(","))))
    if not set(parts) <= set(PARTS):
        raise InputError(f"There is nothing called “{args.parts}” to measure; there is {', '.join(PARTS)}.")
    explanation = None
    if args.bundle is not None:
        _check_alone(args, default)
        explanation = Explanation.load(args.bundle)
        explain.writable(args.out)
    for name in ("image", "instruction", "editor"):
        if explanation is None and getattr(args, name) is None:
            raise InputError(f"There is nothing to evaluate; give --{name}, or --bundle.")
    said = words(args.instruction if explanation is None else explanation.instruction)
    known, text = relevance.find_labels(said, label_words), args.relevant
    labels = known if text is None else relevance.parse_labels(text, said)

    status, embedder = 0, args.embedder
    if explanation is None:
        image, editor = explain.checked(args), explain.loaded(args)
        explanation, status = explain.explained(args, image, editor)
        if explanation is None:
            return status
    elif parts:
        editor, embedder = _editor_of(explanation, args.device), explanation.settings.get("embedder_weights")
    explain.print_explanation(explanation)
    explain.save(explanation, args.out)
    measured = None
    if parts and not status:
        stream = measure_trust(explanation, editor, embedder=embedder, parts=parts, cache=args.cache)
        measured, status = explain.followed(stream, "further edits")
    entries = report_card.report_explanation(explanation, None if labels is None else labels.relevant)
    entries += [] if measured is None else measured.entries.values()
    _print_report(entries, labels)
    report = report_card.build_report(explanation, entries, labels, 0 if measured is None else measured.done)
    text = json.dumps(report, ensure_ascii=False, indent=1, allow_nan=False)
    write_file(Path(args.out) / "trust.json", f"{text}\n")
    return status


def _check_alone(args, default) -> None:
    """Raise InputError where something was asked for that the bundle has decided."""
    for name, value in vars(args).items():
        if name not in WITH_BUNDLE and value != default(name):
            raise InputError(f"The bundle says how it was run; leave --{name.replace('_', '-')} out.")


def _editor_of(explanation, device):
    """The editor that made it, with its settings. Raises InputError where it is not here."""
    from smile import load_editor
    from smile.models.editors import EDITORS

    of = explanation.settings
    if of["editor"] not in EDITORS:
        raise InputError(f"This explanation is of an editor that is not here, {of['editor']}; measure it in Python.")
    editor = load_editor(of["editor"], of.get("editor_weights", "auto"), device)
    return editor.with_settings(**of["editor_settings"]) if hasattr(editor, "with_settings") else editor


def _print_report(entries, labels) -> None:
    rows = [("measure", "figure", "value", "good")]
    for entry in entries:
        for number, figure in enumerate(entry.figures):
            rows.append((entry.name if not number else "", figure.label, figure.text, HOLDS[figure.holds]))
    print()
    print_columns(rows)
    for entry in entries:
        good = f" Good: {entry.good} ({entry.source})." if entry.good else ""
        print(f"\n{entry.name}: {entry.sentence}{good}")
    if labels is not None:
        print(f"\nWhich words should matter: {labels.source}.")
