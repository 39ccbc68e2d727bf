"""The command line: `python -m smile explain ...` and `editors`. Results go to stdout and --out, progress to stderr.

Bad input is one sentence on stderr and exit status 2. Ctrl-C keeps what has been computed.
"""

import argparse
import sys
from pathlib import Path

from smile.editors import EDITORS
from smile.errors import InputError


class _Parser(argparse.ArgumentParser):
    """argparse that says what is wrong in one line, like everything else here."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help.\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 2 for bad input, 130 when interrupted."""
    args = _parser().parse_args(arguments)
    try:
        return args.command(args)
    except InputError as error:
        print(f"smile: {error}", file=sys.stderr)
        return 2


def _setting(text: str) -> tuple[str, float]:
    """NAME=VALUE with a number."""
    name, _, value = text.partition("=")
    try:
        return name.strip(), int(value) if value.strip().lstrip("+-").isdigit() else float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{text}” is not NAME=VALUE with a number, for example steps=30") from None


def _parser():
    sets = "; ".join(f"{name}: {', '.join(entry.weights)}" for name, entry in EDITORS.items())
    parser = _Parser(prog="smile", description="Which words of an edit instruction did it?")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add = commands.add_parser("explain", help="which words of an instruction made an editor change a picture as it did")
    add.set_defaults(command=_explain)
    add.add_argument("--image", required=True, metavar="PATH", help="the picture to edit")
    add.add_argument("--instruction", required=True, metavar="TEXT", help="the edit instruction, 1 to 64 words")
    add.add_argument("--editor", required=True, metavar="NAME", help=f"the editor: {', '.join(EDITORS)}")
    add.add_argument(
        "--weights", default="auto", help=f"auto (default), a set of the editor ({sets}), a folder or a repository id"
    )
    one = "a setting of the editor, for example steps=30; may be given several times"
    add.add_argument("--setting", action="append", default=[], type=_setting, metavar="NAME=VALUE", help=one)
    add.add_argument("--embedder", metavar="WEIGHTS", help="DINOv2 weights, as for --weights")
    add.add_argument("--device", help="a torch device; by default CUDA where there is one")
    add.add_argument("--edits", type=int, help="number of edits; by default what the number of words needs")
    add.add_argument("--seed", type=int, default=0, help="the noise of the edits, and the design (default 0)")
    add.add_argument("--seeds", type=int, default=1, help="explain the editor over this many seeds (default 1)")
    add.add_argument("--noise-seeds", type=int, default=4, help="other seeds for the noise floor (default 4)")
    add.add_argument("--design", default="balanced", help="balanced (default), random or exhaustive")
    add.add_argument("--distance", help="patches, wasserstein or cosine")
    add.add_argument("--reference", default="edit", help="compare with the full-instruction edit (default) or input")
    add.add_argument("--locality", default="wmd", help="wmd (default), words or none")
    add.add_argument("--surrogate", default="linear", help="linear (default), ridge or bayesian")
    add.add_argument("--preset", help="paper: the published procedure")
    region = add.add_mutually_exclusive_group()
    region.add_argument("--region", metavar="PATH", help="the part that may change, white on black")
    region.add_argument("--region-phrase", metavar="TEXT", help="what shows there, for example “the sky”")
    add.add_argument("--out", required=True, metavar="DIR", help="folder for the results")
    listing = commands.add_parser("editors", help="the editors, their weights, and what of them is on this machine")
    listing.set_defaults(command=_editors)
    return parser


def _editors(args) -> int:
    from smile.page.estimate import here

    said = {True: "yes", False: "no", None: "unknown"}
    rows = [("editor", "weights", "region", "here")]
    for name, entry in EDITORS.items():
        rows += [(name, weights, "needed" if entry.region else "", said[here(name, weights)]) for weights in entry.weights]
    _print_columns(rows)
    return 0


def _explain(args) -> int:
    from smile import explain_stream, load_editor
    from smile.instruction import words
    from smile.picture import open_picture, open_region

    # Before a model is loaded, which takes seconds or hours.
    image, _ = open_picture(args.image), words(args.instruction)
    if args.editor in EDITORS and EDITORS[args.editor].region and args.region is None and args.region_phrase is None:
        raise InputError(
            f"{args.editor} needs a region, the part of the picture that may change; give --region or --region-phrase."
        )
    if args.region is not None:
        args.region = open_region(args.region, image.size)
    try:
        Path(args.out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The results cannot be written to {args.out} ({error.strerror}).") from error
    editor = load_editor(args.editor, args.weights, args.device)
    if args.setting and not hasattr(editor, "with_settings"):
        raise InputError(f"{args.editor} has no settings; leave --setting out.")
    editor = editor.with_settings(**dict(args.setting)) if args.setting else editor
    if args.region_phrase is not None:
        args.region = _found(image, args.region_phrase, editor)
    options = {name: value for name, value in vars(args).items() if name in explain_stream.__kwdefaults__}
    stream = explain_stream(image, args.instruction, editor, **options)
    explanation = None
    try:
        for explanation in stream:
            print(f"\r{explanation.done} of {explanation.total} edits", end="", file=sys.stderr, flush=True)
        status = 0
    except KeyboardInterrupt:
        status = 130
    finally:
        stream.close()
        print(file=sys.stderr)
    if explanation is not None:
        _print_table(explanation)
        print(f"\n{explanation.finding}")
        explanation.save(args.out)
    return status


def _found(image, phrase: str, editor):
    """The region of the picture that shows `phrase`."""
    from smile import load_segmenter
    from smile.picture import check_region

    check_region(editor, image)  # anything, to hear whether the editor takes one
    return load_segmenter(device=getattr(editor, "device", None)).find(image, phrase)


def _print_table(explanation) -> None:
    from smile.figures import COLUMN_NAMES, table

    _print_columns([COLUMN_NAMES, *table(explanation)])


def _print_columns(rows) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
