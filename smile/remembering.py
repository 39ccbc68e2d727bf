"""An editor that never edits a text twice under a seed.

An explanation has paid for its edits. What is measured on top of it asks for many of them again, and an edit is known by
its seed and its text, because picture and region stay the same.
"""

from PIL import Image

from smile import blackbox


class Remembering:
    """Any editor, for one picture and one region. What is not `edit` is the editor's own."""

    def __init__(self, editor, explanation=None):
        """With the edits of an `Explanation` of this editor, if there is one."""
        self.editor = editor
        self.known: dict[tuple[int, str], Image.Image | None] = {}
        if explanation is not None:
            self._take_in(explanation)

    def edit(self, image, texts, *, seed, region=None) -> list[Image.Image | None]:
        """As in `smile.editors`; the editor sees only texts that are new under this seed."""
        new = [text for text in dict.fromkeys(texts) if (seed, text) not in self.known]
        if new:
            images = blackbox.edited(self.editor, image, new, seed, region)
            self.known |= {(seed, text): edit for text, edit in zip(new, images, strict=True)}
        return [self.known[seed, text] for text in texts]

    def __getattr__(self, name):
        return getattr(self.editor, name)

    def _take_in(self, e) -> None:
        first = e.settings["seed"]
        for block, text, edit in zip(e.blocks.tolist(), e.texts, e.edits, strict=True):
            self.known[first + block, text] = edit
        for number, edit in enumerate(e.noise_edits):
            self.known[first + e.settings["seeds"] + number, e.texts[0]] = edit
