"""`smile language-models`: the language models of installed packages; none is bundled."""

from smile.cli.editors import print_models
from smile.models.language_models import LANGUAGE_MODELS


def add_command(commands) -> None:
    """Add the command to argparse's `commands`."""
    listing = commands.add_parser("language-models", help="the language models, their weights, and what is on this machine")
    listing.set_defaults(command=_list_language_models)


def _list_language_models(args) -> int:
    if LANGUAGE_MODELS:
        return print_models(LANGUAGE_MODELS)
    print(f"There is no language model; install a package with an entry point in “{LANGUAGE_MODELS.group}”.")
    return 0
