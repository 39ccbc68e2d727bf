"""`smile language-models`: what there is to ask, of ours and of installed packages."""

from smile.cli.editors import print_models
from smile.models.language_models import LANGUAGE_MODELS


def add_command(commands) -> None:
    """Add the command to argparse's `commands`."""
    listing = commands.add_parser("language-models", help="the language models, their weights, and what is on this machine")
    listing.set_defaults(command=lambda args: print_models(LANGUAGE_MODELS))
