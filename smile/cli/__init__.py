"""The commands of `python -m smile` that run an editor, each with its arguments."""
