"""`smile explain --image PATH --instruction TEXT --editor NAME --out DIR`."""

import argparse
from typing import Any

from PIL import Image

from smile.cli.output import follow_stream, make_folder, print_explanation, save_explanation
from smile.errors import InputError, shown
from smile.explanation import Explanation
from smile.models.editors import EDITORS
from smile.models.threads import limit_threads
from smile.options import OPTIONS
from smile.scenarios.distributed import is_distributed

EXTRAS = {
    "lora": ("PLACE", "a file, folder or repository with a LoRA, merged into the weights"),
    "revision": ("NAME", "a branch, tag or commit of the repository"),
    "base": ("PLACE", "a folder or repository in place of the one that the weights build on, for example of SD-Turbo"),
}
HELP = "which words of an instruction made an editor change a picture as it did"


def add_command(commands) -> None:
    """Add the command to argparse's `commands`."""
    parser = commands.add_parser("explain", help=HELP, description=f"{HELP.capitalize()}.")
    parser.set_defaults(command=run_explain)
    add_arguments(parser, required=True)


def add_arguments(parser, required: bool) -> None:
    """The arguments of a run; `required`: whether there is no other way to say what is to be run."""
    parser.add_argument("--image", required=required, metavar="PATH", help="the picture to edit")
    parser.add_argument("--instruction", required=required, metavar="TEXT", help="the edit instruction, 1 to 64 words")
    add_editor_arguments(parser, required)
    parser.add_argument("--embedder", metavar="WEIGHTS", help="DINOv2 weights, as for --weights")
    add_options(parser)
    region = parser.add_mutually_exclusive_group()
    region.add_argument("--region", metavar="PATH", help="the part that may change, white on black")
    region.add_argument("--region-phrase", metavar="TEXT", help="what shows there, for example “the sky”")
    parser.add_argument("--cache", metavar="DIR", help="folder in which edits are kept, so that none is made twice")
    threads = "on a CPU, by default all there are; results depend on it in their last digits"
    parser.add_argument("--threads", type=int, metavar="N", help=threads)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results, which replace earlier ones")
    overwrite = "write into --out although it holds other files, and replace those of the same names"
    parser.add_argument("--overwrite", action="store_true", help=overwrite)


def add_editor_arguments(parser, required: bool) -> None:
    """Which editor, with which weights and settings, where."""
    sets = "; ".join(f"{name}: {', '.join(entry.weights)}" for name, entry in EDITORS.bundled.items())
    names = ", ".join(EDITORS).replace("%", "%%")  # packages of anybody's may add any
    parser.add_argument(
        "--editor", required=required, metavar="NAME", help=f"the editor: {names}, or a diffusers folder or repository"
    )
    parser.add_argument(
        "--weights", default="auto", help=f"auto (default), a set of the editor ({sets}), a folder or a repository id"
    )
    for extra, (metavar, explained) in EXTRAS.items():
        parser.add_argument(f"--{extra}", metavar=metavar, help=explained)
    one = "a setting of the editor, for example steps=30; may be given several times"
    parser.add_argument("--setting", action="append", default=[], type=_parse_setting, metavar="NAME=VALUE", help=one)
    parser.add_argument("--device", help="a torch device; by default CUDA or Apple's GPU where there is one")


def add_options(parser) -> None:
    """The options of the method (`smile.options`)."""
    for name, option in OPTIONS.items():
        about, default = option.metadata, "" if option.default is None else f" (default {option.default})"
        choices = f" [{', '.join(about['choices'])}]" if about["choices"] else ""
        flag, said = f"--{name.replace('_', '-')}", f"{about['help']}{choices}{default}".replace("%", "%%")
        if about["kind"] is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=option.default, help=about["help"])
        elif about["kind"] is list:
            parser.add_argument(flag, action="append", default=[], metavar="TEXT", help=f"{about['help']} May be given again.")
        else:
            parser.add_argument(flag, type=about["kind"], default=option.default, help=said)


def run_explain(args) -> int:
    """Returns the exit status: 0; 1 or 2 where it broke off, and what there was is saved; 128 + n for a signal."""
    prepare_process(args.threads)
    image = check_input(args)
    explanation, status = explain_picture(args, image, load_chosen_editor(args))
    if explanation is not None:
        save_explanation(explanation, args.out, args.overwrite)
        print_explanation(explanation)
    return status


def prepare_process(threads: int | None) -> None:
    """Use so many threads, or all. Raises InputError where it is no number, or this is one of several processes."""
    if threads is not None and threads < 1:
        raise InputError("--threads must be at least 1.")
    if is_distributed():
        raise InputError("One explanation runs in one process; start it without accelerate launch.")
    limit_threads(threads)


def check_input(args) -> Image.Image:
    """The picture, opened. Whatever can be wrong before a model is loaded, which takes seconds or hours, is said here."""
    from smile.io.images import open_picture, open_region
    from smile.method.units import split_instruction

    image, _ = open_picture(args.image), split_instruction(args.instruction, args.join, args.hold)
    if args.editor in EDITORS and EDITORS[args.editor].needs_region and args.region is None and args.region_phrase is None:
        raise InputError(
            f"{args.editor} needs a region, the part of the picture that may change; give --region or --region-phrase."
        )
    if args.region is not None:
        args.region = open_region(args.region, image.size)
    make_folder(args.out, args.overwrite)
    return image


def load_chosen_editor(args) -> Any:
    """The editor with its settings."""
    from smile import load_editor

    extras = {name: getattr(args, name) for name in EXTRAS}
    editor = load_editor(args.editor, args.weights, args.device, **extras)
    if not args.setting:
        return editor
    if not hasattr(editor, "with_settings"):
        raise InputError(f"{args.editor} has no settings; leave --setting out.")
    return editor.with_settings(**dict(args.setting))


def explain_picture(args, image: Image.Image, editor) -> tuple[Explanation | None, int]:
    """(explanation, exit status), with progress on stderr; the explanation is None where there is not one edit."""
    from smile import explain_stream

    if args.region_phrase is not None:
        args.region = _find_region(image, args.region_phrase, editor)
    options = {name: getattr(args, name) for name in (*OPTIONS, "embedder", "region", "cache")}
    return follow_stream(explain_stream(image, args.instruction, editor, **options), "edits")


def _parse_setting(text: str) -> tuple[str, float]:
    """NAME=VALUE with a number."""
    name, _, value = text.partition("=")
    try:
        return name.strip(), int(value) if value.strip().lstrip("+-").isdigit() else float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{shown(text)}” is not NAME=VALUE with a number, for example steps=30") from None


def _find_region(image: Image.Image, phrase: str, editor) -> Image.Image:
    """The region of the picture that shows `phrase`."""
    from smile import load_segmenter
    from smile.models.protocols import check_region

    check_region(editor, image)  # anything, to hear whether the editor takes one
    return load_segmenter(device=getattr(editor, "device", None)).find(image, phrase)
