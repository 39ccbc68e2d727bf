"""Fonts for what Pillow draws. One is bundled (DejaVu Sans: Latin, Greek, Cyrillic, Hebrew, Arabic and more); letters that it
has not are looked for in the fonts of this machine, and a font is used only where it has all of them."""

import functools
import os
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from PIL import ImageFont, features

BUNDLED = Path(__file__).parent / "static" / "fonts" / "DejaVuSans.ttf"
FOLDERS = {  # where systems keep theirs
    "linux": ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts"),
    "darwin": ("/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"),
    "win32": (f"{os.environ.get('WINDIR', 'C:/Windows')}/Fonts",),
}
MAX_FONTS = 1000  # that are opened to look for a letter
NO_CHARACTER = "\U0010ffff"  # which no font has
UNSEEN = ("Mn", "Me", "Cf")  # categories of what joins or is laid over others
SHAPED = ("R", "AL", "AN")  # directions of scripts that are drawn wrong letter by letter
LAST_LATIN = "\u08ff"  # beyond it lie scripts such as Devanagari, whose letters change beside each other


def choose_font(text: str, size: int) -> ImageFont.FreeTypeFont | None:
    """The bundled font at this size, another one where it lacks a letter of `text`, None where none of this machine has all."""
    path = _find_font("".join(sorted(set(text))))
    return None if path is None else _open_font(path, size)


@functools.lru_cache(maxsize=256)
def _open_font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size)


@functools.lru_cache(maxsize=256)
def _find_font(letters: str) -> Path | None:
    if not features.check("raqm") and any(map(_is_shaped, letters)):
        return None
    return next((path for path in (BUNDLED, *_list_fonts()) if _has_letters(path, letters)), None)


def _is_shaped(letter: str) -> bool:
    spaced = unicodedata.category(letter) in ("Mc", "Mn") and letter > LAST_LATIN
    return spaced or unicodedata.bidirectional(letter) in SHAPED


@functools.cache
def _list_fonts() -> tuple[Path, ...]:
    return tuple(path for path, _ in zip(_walk_fonts(), range(MAX_FONTS), strict=False))


def _walk_fonts() -> Iterator[Path]:
    for folder in FOLDERS.get(sys.platform, ()):
        paths = Path(folder).expanduser().rglob("*")
        yield from sorted(path for path in paths if path.suffix.lower() in (".ttf", ".otf", ".ttc"))


def _has_letters(path: Path, letters: str) -> bool:
    """Whether the font draws each of them as something else than a letter that it has not."""
    try:
        font = ImageFont.truetype(str(path), 20, layout_engine=ImageFont.Layout.BASIC)
        none = _draw_letter(font, NO_CHARACTER)
        return all(_draw_letter(font, each) != none for each in letters if unicodedata.category(each) not in UNSEEN)
    except (OSError, ValueError):  # a font of one size only, as those of coloured emoji are, or a damaged one
        return False


def _draw_letter(font: ImageFont.FreeTypeFont, letter: str) -> tuple:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)
