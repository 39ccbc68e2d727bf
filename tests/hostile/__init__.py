"""What a public page is sent, by accident and on purpose, in families, and what must come of it.

What must come of an input is a piece of the sentence that refuses it, or GOOD, an explanation, or EITHER of the two where it
depends on the version of a library.
"""

GOOD, EITHER = "good", "either"
