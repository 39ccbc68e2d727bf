"""`smile export BUNDLE --out FILE`: a saved explanation as another kind of file."""

from pathlib import Path

from smile.errors import InputError

FORMATS = {".html": "one page that needs no server", ".zip": "a bundle", ".png": "the heatmap", ".json": "the numbers"}


def add_command(commands) -> None:
    """Add the command to argparse's `commands`."""
    parser = commands.add_parser("export", help="write an explanation that was saved as another kind of file")
    parser.set_defaults(command=run_export)
    parser.add_argument("bundle", metavar="BUNDLE", help="the zip file, or the folder that explain wrote")
    kinds = "; ".join(f"{suffix}: {what}" for suffix, what in FORMATS.items())
    parser.add_argument("--out", required=True, metavar="FILE", help=f"what to write, by its ending ({kinds})")


def run_export(args) -> int:
    """Returns the exit status, 0."""
    from smile import Explanation
    from smile.io import bundle
    from smile.report.html import render_page
    from smile.report.plots import draw_heatmap

    out = Path(args.out)
    if out.suffix.lower() not in FORMATS:
        raise InputError(f"It is not clear what to write into {out}; let its name end in {', '.join(FORMATS)}.")
    explanation = Explanation.load(args.bundle)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        match out.suffix.lower():
            case ".html":
                out.write_text(render_page(explanation), encoding="utf-8")
            case ".zip":
                bundle.write(explanation, out)
            case ".png":
                draw_heatmap(explanation).save(out)
            case ".json":
                out.write_text(explanation.to_json(), encoding="utf-8")
    except OSError as error:
        raise InputError(f"The explanation cannot be written to {out} ({error.strerror}).") from error
    return 0
