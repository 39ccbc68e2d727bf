"""`smile check --editor NAME`: whether an editor works here, as a report to paste into an issue."""

from smile.cli import explain
from smile.cli.output import print_columns
from smile.cli.terminal import show
from smile.paths import EXAMPLES

HELP = "whether an editor works here: loads it, edits an example, and prints a report to paste into an issue"


def add_command(commands) -> None:
    """Add the command to argparse's `commands`."""
    parser = commands.add_parser("check", help=HELP, description=f"{HELP.capitalize()}.")
    parser.set_defaults(command=run_check)
    explain.add_editor_arguments(parser, required=True)
    parser.add_argument("--image", default=str(EXAMPLES / "summer-day.png"), metavar="PATH", help="by default an example")


def run_check(args) -> int:
    """Returns the exit status: 1 where an expectation does not hold."""
    from PIL import Image

    from smile.io.images import open_picture
    from smile.models.editors.first_run import check_editor, describe_run, summarise

    picture = open_picture(args.image)
    editor = explain.load_chosen_editor(args)
    region = Image.new("L", picture.size, 255) if getattr(editor, "takes_region", None) else None
    checks = check_editor(editor, picture, region)
    print_columns(describe_run(editor))
    show("")
    print_columns([("yes" if check.holds else "NO", check.what, check.detail) for check in checks])
    show(f"\n{summarise(editor, checks)}")
    return 0 if all(check.holds for check in checks) else 1
