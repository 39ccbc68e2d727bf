"""`smile ask --model NAME --prompt TEXT --out DIR`."""

from pathlib import Path
from typing import Any

from smile.cli.explain import add_options, prepare_process
from smile.cli.output import follow_stream, make_folder, print_explanation, save_explanation
from smile.cli.terminal import show
from smile.errors import InputError
from smile.method.prompts import SEGMENTS, UNITS, split_prompt
from smile.options import OPTIONS

HELP = "which words of a prompt made a language model's answer"
OWN = ("embedder", "units", "within", "segments")


def add_command(commands) -> None:
    """Add the command to argparse's `commands`."""
    parser = commands.add_parser("ask", help=HELP, description=f"{HELP.capitalize()}.")
    parser.set_defaults(command=run_ask)
    parser.add_argument(
        "--model", required=True, metavar="NAME", help="a name (smile language-models), a folder or a repository"
    )
    parser.add_argument("--prompt", required=True, metavar="TEXT", help="the prompt, or @FILE for the text in a file")
    parser.add_argument("--device", help="a torch device; by default CUDA where there is one")
    parser.add_argument("--temperature", type=float, metavar="T", help="0 writes the likeliest token each time (default)")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="after how many tokens an answer is cut off")
    parser.add_argument("--embedder", metavar="NAME", help="for models that only write: words (default), minilm, or a folder")
    units = f"what is left out: {', '.join(UNITS)} (default auto: words up to 64 of them, else sentences)"
    parser.add_argument("--units", default="auto", choices=UNITS, help=units)
    within = "the number of a sentence, from 0: its words are left out, and the rest of the prompt stays"
    parser.add_argument("--within", type=int, metavar="N", help=within)
    parser.add_argument("--segments", default="auto", choices=SEGMENTS, help="the parts of the answer")
    parser.add_argument("--no-trace", action="store_true", help="do not trace what each sentence of the answer rests on")
    add_options(parser)
    parser.set_defaults(design=None)
    parser.add_argument("--threads", type=int, metavar="N", help="on a CPU, by default all there are")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results, which replace earlier ones")
    overwrite = "write into --out although it holds other files, and replace those of the same names"
    parser.add_argument("--overwrite", action="store_true", help=overwrite)


def run_ask(args) -> int:
    """Returns the exit status, as `smile.cli.explain.run_explain`."""
    from smile import explain_answer_stream, load_language_model

    prepare_process(args.threads)
    prompt = _read_prompt(args.prompt)
    split_prompt(prompt, args.units, args.within)  # whatever can be wrong before a model is loaded is said here
    make_folder(args.out, args.overwrite)
    model = load_language_model(args.model, device=args.device, temperature=args.temperature, max_tokens=args.max_tokens)
    options: dict[str, Any] = {name: getattr(args, name) for name in (*OPTIONS, *OWN)}
    if options["design"] is None:
        del options["design"]
    stream = explain_answer_stream(prompt, model, trace=not args.no_trace, **options)
    explanation, status = follow_stream(stream, "prompts")
    if explanation is not None:
        save_explanation(explanation, args.out, args.overwrite)
        show(f"{explanation.answer}\n")
        print_explanation(explanation)
    return status


def _read_prompt(given: str) -> str:
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The prompt cannot be read from {given[1:]}; give a file of text in UTF-8.") from error
