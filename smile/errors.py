"""One exception for everything a person can get wrong.

Raised at the door, before any model runs. Its text is one sentence that says what is wrong and what to do; the page
shows it, the command line prints it and exits with status 2. Any other exception is a bug and keeps its traceback.
"""


class InputError(ValueError):
    """Bad input: the message says what is wrong and what to do."""


def shown_error(error: BaseException, longest: int = 150) -> str:
    """What a library said, for such a message: its first line, short, without a full stop."""
    lines = str(error).strip().splitlines()
    return shown(lines[0], longest).rstrip(".…") if lines else type(error).__name__


def shown(value, longest: int = 80) -> str:
    """What somebody gave, for such a message: short, and on one line."""
    try:
        text = str(value)
    except ValueError:  # Python writes no number of thousands of digits
        text = "a number of many digits"
    text = "".join(letter if letter.isprintable() else "\ufffd" for letter in text[: longest + 1])
    return text if len(text) <= longest else f"{text[:longest]}…"
