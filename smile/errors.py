"""One exception for everything a person can get wrong.

Raised at the door, before any model runs. Its text is one sentence that says what is wrong and what to do; the page
shows it, the command line prints it and exits with status 2. Any other exception is a bug and keeps its traceback.
"""


class InputError(ValueError):
    """Bad input: the message says what is wrong and what to do."""
