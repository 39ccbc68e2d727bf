"""How much memory the explanations take that visitors have on their pages; beyond a limit the oldest are forgotten."""

from collections.abc import Iterator
from typing import Any

from PIL import Image

from smile import Explanation


def count_bytes(value: Any) -> int:
    """Bytes of the pictures in what a state holds: explanations, also in tables and lists. What is in it twice counts once."""
    pictures = {id(picture): 3 * picture.width * picture.height for picture in _find_pictures(value)}
    return sum(pictures.values())


def count_text(value: Any) -> int:
    """Letters of all texts in tables and lists: what a browser draws holds its pictures as text."""
    if isinstance(value, (dict, list, tuple)):
        return sum(map(count_text, value.values() if isinstance(value, dict) else value))
    return len(value) if isinstance(value, str) else 0


def _find_pictures(value: Any) -> Iterator[Image.Image]:
    if isinstance(value, Explanation):
        every = (value.image, *value.edits, *value.noise_edits, *value.extra_edits)
        yield from (each for each in every if each is not None)
    elif isinstance(value, (dict, list, tuple)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _find_pictures(each)


def forget_oldest(holder: Any, most: int) -> None:
    """Forget explanations in Gradio's states (`gradio.state_holder.StateHolder`) until the rest take at most `most` bytes:
    first those of the session that was used longest ago; never those of the one that was used last."""
    held = []
    for session in list(holder.session_data.values()):  # the oldest first
        states = {key: size for key, value in list(session.state_data.items()) if (size := count_bytes(value))}
        held.append((session, states))
    total = sum(sum(states.values()) for _, states in held)
    for session, states in held[:-1]:
        for key, size in states.items():
            if total <= most:
                return
            session.state_data[key] = None
            total -= size
