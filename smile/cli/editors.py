"""`smile editors`: what there is to choose from, of ours and of installed packages."""

from smile.cli.output import print_columns
from smile.cli.terminal import show
from smile.models.editors import EDITORS
from smile.models.registry import Registry

HERE = {True: "yes", False: "no", None: "unknown"}


def add_command(commands) -> None:
    """Add the command to argparse's `commands`."""
    listing = commands.add_parser("editors", help="the editors, their weights, and what of them is on this machine")
    listing.set_defaults(command=lambda args: print_models(EDITORS))


def print_models(registry: Registry) -> int:
    """Print a row for each set of weights, and a sentence for each model that cannot be used. Returns the exit status: 0, 1
    where nobody reads it."""
    rows = [(registry.kind, "weights", "region", "here")]
    for name, entry in registry.items():
        region = "needed" if entry.needs_region else ""
        rows += [(name, weights, region, HERE[entry.is_downloaded(weights)]) for weights in entry.weights if not entry.problem]
    read = print_columns(rows)
    for entry in registry.values():
        if entry.problem:
            read = show(f"\n{entry.problem}") and read
    return 0 if read else 1
