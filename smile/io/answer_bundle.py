"""An explanation of an answer as one file."""

from smile.io.safe_zip import pack_zip


def pack(numbers: str) -> bytes:
    """The zip of explanation.json; equal numbers are equal bytes."""
    return pack_zip([("explanation.json", numbers.encode("utf-8"))])
