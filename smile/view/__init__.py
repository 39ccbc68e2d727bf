"""An explanation as it is looked at in a browser: what to draw, and the script and style that draw it.

One script draws the page's answer and the self-contained file for a tutorial, so that both are the same instrument. It
gets plain values and pictures as data URLs, and asks the server for nothing: words are selected, edits sorted and maps
laid over pictures where the reader is. Python here formats numbers and encodes pictures, and computes none.
"""

from smile.view.page import page
from smile.view.value import Pictures, comparison, value

__all__ = ["Pictures", "comparison", "page", "value"]
