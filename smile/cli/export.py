"""`smile export BUNDLE --out FILE`: a saved explanation as another kind of file; `--check`: checked against the model first."""

from pathlib import Path

from smile.cli.output import make_parent
from smile.cli.terminal import show, show_progress
from smile.errors import InputError
from smile.evaluation import answer_trust, relevance, report_card
from smile.evaluation.model_check import check_against_model
from smile.explanation import FORMATS, AnswerExplanation, Explanation, load
from smile.report.trust_html import TrustEntry
from smile.toyroad.grammar import label_words


def add_command(commands) -> None:
    """Add the command to argparse's `commands`."""
    parser = commands.add_parser("export", help="write an explanation that was saved as another kind of file")
    parser.set_defaults(command=run_export)
    parser.add_argument("bundle", metavar="BUNDLE", help="the zip file, or the folder that explain wrote")
    kinds = "; ".join(f"{suffix}: {what}" for suffix, what in FORMATS.items())
    parser.add_argument("--out", metavar="FILE", help=f"what to write, by its ending ({kinds})")
    check = (
        "measure the distances again with the model that it names, if that is here; where they are others nothing is written"
    )
    parser.add_argument("--check", action="store_true", help=check)


def run_export(args) -> int:
    """Returns the exit status, 0."""
    if args.out is None and not args.check:
        raise InputError("There is nothing to do; give --out, --check, or both.")
    out = None if args.out is None else Path(args.out)
    if out is not None and out.suffix.lower() not in FORMATS:
        raise InputError(f"It is not clear what to write into {out}; let its name end in {', '.join(FORMATS)}.")
    explanation = load(args.bundle)
    if args.check:
        check = check_against_model(explanation)
        if not check.holds:
            raise InputError(check.sentence)
        show(check.sentence)
    if out is not None:
        make_parent(str(out))
        explanation.write(out, _report(explanation))
    show_progress(explanation.unchecked)
    return 0


def _report(explanation: Explanation | AnswerExplanation) -> list[TrustEntry]:
    """What can be said of how far to believe it without another edit or prompt."""
    if isinstance(explanation, AnswerExplanation):
        return answer_trust.report_answer(explanation)
    labels = relevance.find_labels(explanation.words, label_words)
    return report_card.report_explanation(explanation, None if labels is None else labels.relevant)
