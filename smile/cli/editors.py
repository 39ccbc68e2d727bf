"""`smile editors`: what there is to choose from, of ours, of installed packages and of the Hub, and where it would run."""

from smile.cli.output import print_columns
from smile.cli.terminal import show
from smile.models.editors import EDITORS
from smile.models.editors.catalogue import list_catalogue
from smile.models.registry import Registry

OTHERS = (
    "Any diffusers folder or repository that edits a picture by a text is an editor, too. These are known, and their weights "
    "were never run by who wrote this:"
)
HERE = {True: "yes", False: "no", None: "unknown"}


def add_command(commands) -> None:
    """Add the command to argparse's `commands`."""
    listing = commands.add_parser("editors", help="the editors, their weights, and what of them is on this machine")
    listing.set_defaults(command=lambda args: print_editors())


def print_editors() -> int:
    """Print the editors with names, then those of the Hub, then what they run on. Returns the exit status."""
    from smile.models.devices import describe_device

    status = print_models(EDITORS)
    show(f"\n{OTHERS}")
    read = print_columns(list_catalogue()) and show(f"\n{describe_device()}")
    return status if read else 1


def print_models(registry: Registry) -> int:
    """Print a row for each set of weights, and a sentence for each model that cannot be used. Returns the exit status: 0, 1
    where nobody reads it."""
    rows = [(registry.kind, "weights", "for", "region", "here")]
    for name, entry in registry.items():
        region = "needed" if entry.needs_region else ""
        for weights in () if entry.problem else entry.weights:
            text = "captions" if entry.expects(weights) == "caption" else ""
            rows.append((name, weights, text, region, HERE[entry.is_downloaded(weights)]))
    read = print_columns(rows)
    for entry in registry.values():
        if entry.problem:
            read = show(f"\n{entry.problem}") and read
    return 0 if read else 1
