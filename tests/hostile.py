"""What a public page is sent, by accident and on purpose: the list, in families.

A line is (family, name, what is asked, what must come of it). What is asked are the arguments of one run that differ from a
good one's; pictures and regions are bytes, or a function that makes them. What must come of it is a piece of the sentence
that refuses it, or GOOD, an explanation, or EITHER of the two where what it is depends on the version of a library.
"""

import io
import math
import struct
import zipfile
import zlib
from typing import NamedTuple

import numpy as np
from PIL import Image

GOOD, EITHER = "good", "either"


class Hostile(NamedTuple):
    family: str
    name: str
    asked: dict
    says: str


def png(size=(16, 12), mode="RGB", colour=90, kind="PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, kind, **options)
    return file.getvalue()


def chunk(name: bytes, held: bytes) -> bytes:
    return struct.pack(">I", len(held)) + name + held + struct.pack(">I", zlib.crc32(name + held))


NOTHING = chunk(b"IDAT", b"x")


def header_only(width, height, depth=8, colour=2, rest=NOTHING) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + rest


def with_chunk(name: bytes, held: bytes) -> bytes:
    return png()[:33] + chunk(name, held) + png()[33:]


def moving(kind: str) -> bytes:
    frames, file = [Image.new("RGB", (16, 12), colour) for colour in ("red", "green", "blue")], io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=50)
    return file.getvalue()


def turned(value, kind="JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = value
    return png(kind=kind, exif=exif)


def located() -> bytes:
    """A photograph that says where it was taken."""
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[2] = (51.0, 30.0, 0.0)
    return png(kind="JPEG", exif=exif, comment=b"SecretComment")


def sixteen_bits(kind) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.linspace(0, 65535, 192).astype(np.uint16).reshape(12, 16)).save(file, kind)
    return file.getvalue()


def floats(*values) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.resize(np.array(values, np.float32), (12, 16))).save(file, "TIFF")
    return file.getvalue()


def bmp(width, height) -> bytes:
    held = bytearray(png(kind="BMP"))
    held[18:26] = struct.pack("<ii", width, height)
    return bytes(held)


def gif(width, height) -> bytes:
    held = bytearray(png(kind="GIF"))
    held[6:10] = struct.pack("<HH", width, height)
    return bytes(held)


def zipped(name="a.txt", held=b"hello") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, held)
    return file.getvalue()


def strip(width, height) -> bytes:
    return png((width, height))


NOT_READ, DAMAGED, LARGE = "is not a picture that can be read", "is damaged or cannot be read", "million pixels"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><script>alert(1)</script></svg>'
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n(/etc/passwd) (r) file\nshowpage\n"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n"
HTML = b"<html><script>alert(document.cookie)</script></html>"
PICTURES = {
    # no pictures
    "nothing": (b"", NOT_READ),
    "one byte": (b"\0", NOT_READ),
    "text": (b"hello", NOT_READ),
    "a page": (HTML, NOT_READ),
    "a program": (b"\x7fELF" + bytes(200), NOT_READ),
    "a pickle": (b"\x80\x04cos\nsystem\n(S'touch /tmp/owned'\ntR.", NOT_READ),
    "a zip": (zipped(), NOT_READ),
    "svg": (SVG, NOT_READ),
    "svg with a file in it": (SVG.replace(b"<script>", b'<image href="file:///etc/passwd"/><script>'), NOT_READ),
    "xml bomb": (b'<!DOCTYPE a [<!ENTITY b "&c;&c;">]><svg>&b;</svg>', NOT_READ),
    "eps, which Pillow gives to Ghostscript": (EPS, NOT_READ),
    "pdf": (PDF, NOT_READ),
    "wmf": (b"\xd7\xcd\xc6\x9a\0\0" + bytes(60), NOT_READ),
    "mpeg": (b"\0\0\x01\xb3" + bytes(60), NOT_READ),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(60), NOT_READ),
    "fits": (b"SIMPLE  =" + b" " * 80, NOT_READ),
    "xbm": (b"#define a_width 16\n#define a_height 16\nstatic char a_bits[] = {0};", NOT_READ),
    "xpm": (b'/* XPM */\nstatic char *a[] = {"1 1 1 1"};', NOT_READ),
    "ppm": (b"P6\n16 12\n255\n" + bytes(16 * 12 * 3), NOT_READ),
    "icon": (png((16, 16), kind="ICO"), NOT_READ),
    "photoshop": (b"8BPS\0\1" + bytes(60), NOT_READ),
    "jpeg 2000": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60), NOT_READ),
    "heic": (b"\0\0\0\x18ftypheic" + bytes(60), NOT_READ),
    "tga": (png(kind="TGA"), NOT_READ),
    "dds": (b"DDS \x7c\0\0\0" + bytes(130), NOT_READ),
    "a byte order mark": (b"\xef\xbb\xbf" + png(), NOT_READ),
    "png after a space": (b" " + png(), NOT_READ),
    # damaged
    "png signature alone": (png()[:8], NOT_READ),
    "png, wrong checksum of its header": (png()[:30] + b"\0\0" + png()[32:], EITHER),
    "png, half": (png((64, 64), colour="red")[:90], DAMAGED),
    "png, pixels of noise": (header_only(16, 12, rest=chunk(b"IDAT", b"noise") + chunk(b"IEND", b"")), DAMAGED),
    "png without pixels": (header_only(16, 12, rest=chunk(b"IEND", b"")), DAMAGED),
    "png, too few pixels": (header_only(16, 12, rest=chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")), EITHER),
    "png, a chunk longer than the file": (header_only(16, 12, rest=struct.pack(">I", 2**31 - 1) + b"IDAT"), DAMAGED),
    "png, impossible depth": (header_only(16, 12, depth=3), EITHER),
    "png, impossible colour": (header_only(16, 12, colour=5), EITHER),
    "png, a text bomb": (with_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2 * 10**7))), EITHER),
    "png, a profile bomb": (with_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2 * 10**7))), EITHER),
    "png, a profile that is none": (with_chunk(b"iCCP", b"a\0\0" + zlib.compress(b"no profile")), EITHER),
    "png, EXIF that is none": (with_chunk(b"eXIf", b"MM\0*" + b"\xff" * 40), GOOD),
    "jpeg, half": (png((64, 64), colour="red", kind="JPEG")[:320], DAMAGED),
    "jpeg start alone": (b"\xff\xd8\xff\xe0", EITHER),
    "jpeg, noise for a header": (b"\xff\xd8\xff\xe0" + b"\x13" * 300, EITHER),
    "webp, half": (png((64, 64), colour="red", kind="WEBP")[:30], EITHER),
    "gif, half": (png((64, 64), mode="P", kind="GIF")[:40], EITHER),
    "bmp, half": (png(kind="BMP")[:80], DAMAGED),
    "bmp, upside down by a minus": (bmp(16, -12), EITHER),
    "tiff, half": (png(kind="TIFF")[:200], EITHER),
    "tiff that points at itself": (b"II*\0\x08\0\0\0\x01\0" + b"\0" * 12 + b"\x08\0\0\0", EITHER),
    # too large, too small, of no shape
    **{f"{w} x {h}": (header_only(w, h), LARGE) for w, h in ((9000, 9000), (20000, 20000), (60000, 60000), (2**31 - 1, 1000))},
    "169 million pixels in 20 KB": (png((13000, 13000), "1", 0, optimize=True), LARGE),
    "a bomb with few colours": (png((13000, 13000), "P", 0, optimize=True), LARGE),
    "bmp of 60000 x 60000": (bmp(60000, 60000), LARGE),
    "gif of 65535 x 65535": (gif(65535, 65535), LARGE),
    "0 x 0": (header_only(0, 0), EITHER),
    "0 x 12": (header_only(0, 12), EITHER),
    "1 x 1": (strip(1, 1), "too small"),
    "1 x 1, see-through": (png((1, 1), "RGBA", (0, 0, 0, 0)), "too small"),
    "2 x 2": (strip(2, 2), "too small"),
    "3 x 9": (strip(3, 9), "too small"),
    "20000 x 1": (strip(20000, 1), "too narrow a strip"),
    "1 x 20000": (strip(1, 20000), "too narrow a strip"),
    "900 x 100": (strip(900, 100), "too narrow a strip"),
    "800 x 100": (strip(800, 100), GOOD),
    "4 x 4": (strip(4, 4), GOOD),
    # moving
    **{f"moving {kind}": (moving(kind), "holds several pictures or moves") for kind in ("GIF", "PNG", "WEBP", "TIFF")},
    "a phone's picture with its preview": (moving("MPO"), GOOD),
    # unusual and sound
    **{
        f"{mode} as {kind}": (png(mode=mode, colour=1 if mode == "1" else 0, kind=kind), GOOD)
        for kind, modes in {"PNG": "1 L P LA RGBA I", "TIFF": "1 L P CMYK LAB", "JPEG": "L CMYK", "GIF": "L P"}.items()
        for mode in modes.split()
    },
    "YCbCr as TIFF": (png(mode="YCbCr", kind="TIFF"), EITHER),
    "see-through": (png(mode="RGBA", colour=(9, 9, 9, 0)), GOOD),
    "half see-through webp": (png(mode="RGBA", colour=(9, 9, 9, 99), kind="WEBP"), GOOD),
    "16 bits PNG": (sixteen_bits("PNG"), GOOD),
    "16 bits TIFF": (sixteen_bits("TIFF"), GOOD),
    "16 bits colour": (
        header_only(16, 12, 16, 2, chunk(b"IDAT", zlib.compress((b"\0" + bytes(96)) * 12)) + chunk(b"IEND", b"")),
        GOOD,
    ),
    "floats": (floats(0, 0.5, 1), GOOD),
    "floats, NaN": (floats(0, math.nan, 1), "values that are no numbers"),
    "floats, infinite": (floats(0, math.inf, 1), "values that are no numbers"),
    "floats, huge": (floats(0, 3e38), EITHER),
    "floats, below zero": (floats(-1e9, 5), GOOD),
    **{f"turned {value}": (turned(value), GOOD) for value in (1, 3, 6, 8, 0, 9, 65535)},
    "turned PNG": (turned(5, "PNG"), GOOD),
    "EXIF with a place": (located(), GOOD),
    "adobe CMYK": (png(mode="CMYK", colour=(9, 9, 9, 9), kind="JPEG"), GOOD),
    "progressive": (png(kind="JPEG", progressive=True), GOOD),
    "black": (png(colour=0), GOOD),
    "white": (png(colour="white"), GOOD),
    # two things at once: the pixels are used, and nothing else
    "png and zip": (png() + zipped(), GOOD),
    "gif and script": (png(kind="GIF") + b"/*" + HTML, GOOD),
    "jpeg and page": (png(kind="JPEG", comment=HTML), GOOD),
    "jpeg and pdf": (png(kind="JPEG") + PDF, GOOD),
    "png with a page for a title": (with_chunk(b"tEXt", b"Title\0" + HTML), GOOD),
    "two pngs": (png() + png((4000, 4000)), GOOD),
}

BIDI, CONTROL, UNSEEN = "turn the order", "control characters", "cannot be seen"
WORDLESS, EMPTY = "punctuation only", "instruction is empty"
INSTRUCTIONS = {
    "empty": ("", EMPTY),
    "a space": (" ", EMPTY),
    "white space of all kinds": (" \t\n\r\u00a0\u2003\u3000\u2028\u2029", EMPTY),
    "65 words": ("snow " * 65, "65 words"),
    "a thousand words": ("snow " * 1000, "1000 words"),
    "a million letters": ("a" * 10**6, "letters"),
    "a million words": ("a " * 10**6, "1000000 words"),
    "1001 letters": ("a" * 1001, "1001 letters"),
    "1000 letters": ("a" * 1000, GOOD),
    "a word of 300 letters": ("snow " + "x" * 300, GOOD),
    **{f"control character {code:#04x}": (f"make it{chr(code)} snow", CONTROL) for code in (0, 1, 7, 8, 27, 127, 0x80, 0x9B)},
    "a null at the end": ("make it snow\0", CONTROL),
    "a terminal's escape": ("\x1b[2J\x1b[31mmake it snow", CONTROL),
    "a terminal's title": ("\x1b]0;owned\x07 snow", CONTROL),
    **{
        f"turning sign U+{code:04X}": (f"make {chr(code)}wons it", BIDI)
        for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
    },
    "turned file name": ("open photo\u202egnp.exe", BIDI),
    "zero-width space": ("make \u200b snow", UNSEEN),
    "zero-width joiner alone": ("make \u200d", UNSEEN),
    "byte order mark alone": ("\ufeff snow", UNSEEN),
    "soft hyphen alone": ("snow \u00ad", UNSEEN),
    "tag characters": ("snow \U000e0041\U000e0042", UNSEEN),
    "a variation selector": ("snow \ufe0f", UNSEEN),
    "an accent alone": ("snow \u0301", UNSEEN),
    "word joiner alone": ("\u2060", UNSEEN),
    "unassigned": ("snow \U0003ffff", UNSEEN),
    **{f"only {text}": (text, WORDLESS) for text in ("!!!", "...", "? !", "-", "“”", "--help", "。", "؟", "_", "# @ %")[:5]},
    **{
        f"only punctuation {n}": (text, WORDLESS)
        for n, text in enumerate(("。", "؟", "_", "# @ %", "( ) [ ]", "'", "\\", "/../.."))
    },
    "one word": ("snow", GOOD),
    "one letter": ("a", GOOD),
    "one digit": ("7", GOOD),
    "a number": ("1e309", GOOD),
    "64 words, 4 of them others": (" ".join(["snow"] * 60 + ["night", "at", "rain", "fog"]), EITHER),
    **{
        f"script: {name}": (text, GOOD)
        for name, text in {
            "Arabic": "أضف ثلج",
            "Hebrew": "הוסף שלג",
            "Persian with joiner": "می\u200cخواهم برف",
            "Chinese": "让它 下雪",
            "Japanese": "雪を 降らせて",
            "Korean": "눈 오게",
            "Hindi": "बर्फ गिराओ",
            "Thai": "ทำให้ หิมะตก",
            "Russian": "сделай снег",
            "Greek": "κάνε χιόνι",
            "Amharic": "በረዶ አድርግ",
            "Turkish dotted": "İSTANBUL ışık",
            "German": "Straße weiß",
            "Vietnamese": "làm tuyết",
            "combining": "sno\u0308w ni\u0302ght",
            "stacked": "s" + "\u0335\u0321" * 40 + "now",
            "marks of direction": "שלג\u200f snow",
            "fullwidth": "ｓｎｏｗ",
            "mathematical": "𝓼𝓷𝓸𝔀",
        }.items()
    },
    **{
        f"emoji: {name}": (text, GOOD)
        for name, text in {
            "one": "❄",
            "with a selector": "❄️",
            "a family": "👨‍👩‍👧‍👦 snow",
            "a flag": "🇬🇧",
            "skin": "👍🏽 snow",
        }.items()
    },
    **{
        f"markup: {text[:24]}": (text, GOOD)
        for text in (
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "</script><script>alert(1)</script>",
            "<b>snow</b>",
            '"><svg/onload=alert(1)>',
            "javascript:alert(1)",
            "&lt;script&gt;",
            "<!--",
            "]]>",
            "{{7*7}}",
            "${7*7}",
            "{value}",
            "%s%n",
            "<a href='x'>snow</a>",
            "`rm`",
            "<style>*{display:none}</style>",
        )
    },
    **{
        f"for a spreadsheet: {text[:20]}": (text, GOOD)
        for text in ("=1+1", "=cmd|'/c calc'!A1", "@SUM(A1)", "+1+1", "-1+1", '=HYPERLINK("http://evil.example","x")', "\t=1+1")
    },
    **{
        f"for a shell or database: {text[:20]}": (text, GOOD)
        for text in (
            "$(reboot)",
            "; rm -rf /",
            "' OR 1=1 --",
            "a' b\"c",
            "a && b",
            "../../etc/passwd",
            "C:\\con",
            "null",
            "NaN",
            "None",
        )
    },
    "a line break": ("make it\nsnow", GOOD),
    "tabs": ("make\tit\tsnow", GOOD),
    "the same word": ("snow snow snow", GOOD),
    "an address": ("https://evil.example/?a=1&b=2#c", GOOD),
}

NUMBERS = {
    "not a number": math.nan,
    "infinity": math.inf,
    "minus infinity": -math.inf,
    "minus one": -1,
    "a half": 0.5,
    "1e308": 1e308,
    "2^63": 2**63,
    "2^32": 2**32,
    "400 digits": 10**400,
    "text": "many",
    "empty text": "",
    "text with a null": "1\0",
    "hexadecimal": "0x10",
    "Arabic digits and text": "٣ edits",
    "markup": "<script>",
    "a list": [16],
    "an object": {"a": 1},
    "true": True,
    "nested": [[[[1]]]],
}

OPTIONS = {
    **{
        f"{option} is {name}": ({option: value}, "")
        for option in ("seeds", "noise_seeds")
        for name, value in NUMBERS.items()
        if name not in ("Arabic digits and text",)
    },
    **{
        f"{option} is {value!r:.20}": ({option: value}, "There is no")
        for option in ("design", "distance", "locality", "surrogate", "reference")
        for value in ("magic", "", "__import__('os')", 3, True, ["patches"], {"a": 1}, "x" * 5000)
    },
    "an unknown option": ({"preset": "paper"}, "no option"),
    "a private option": ({"__class__": "x"}, "no option"),
    "an option with markup": ({"<script>": 1}, "no option"),
    "editor given again": ({"editor": "x"}, "no option"),
    "all at their limits": ({"seeds": 255, "noise_seeds": 255}, "All seeds together"),
    "a list": ([1], "must be an object"),
    "a text": ("seeds=3", ""),
    "a number": (7, ""),
}
SETTINGS = {
    **{f"steps is {name}": ({"steps": value}, "") for name, value in NUMBERS.items()},
    "an unknown setting": ({"weights": 1}, ""),
    "a private setting": ({"__class__": 1}, ""),
    "self": ({"self": 1}, ""),
    "a list": ([1], "must be an object"),
    "a text": ("steps=3", ""),
    "many": ({f"s{i}": 1 for i in range(1000)}, ""),
}
CHOICES = {
    f"{field} is {value!r:.24}": ({field: value}, "")
    for field in ("editor", "weights")
    for value in (
        "photoshop",
        "",
        "../../etc",
        "/etc/passwd",
        "http://evil.example/x",
        "x" * 3000,
        ["full"],
        {"a": 1},
        3,
        "\0",
        "bundled\n",
    )
}
REGIONS = {
    "nothing": (b"", NOT_READ),
    "text": (b"hello", NOT_READ),
    "svg": (SVG, NOT_READ),
    "eps": (EPS, NOT_READ),
    "a bomb": (header_only(60000, 60000), LARGE),
    "half": (png((64, 64), colour="red")[:90], DAMAGED),
    "black": (png((16, 12), "L", 0), "region is empty"),
    "dark grey": (png((16, 12), "L", 127), "region is empty"),
    "of other proportions": (png((12, 16), "L", 255), "proportions"),
    "a strip": (strip(20000, 1), "too narrow a strip"),
    "one pixel": (png((1, 1), "L", 255), "too small"),
    "moving": (moving("GIF"), "moves"),
    "white": (png((16, 12), "L", 255), GOOD),
    "larger": (png((160, 120), "L", 255), GOOD),
    "colours": (png((16, 12), "RGB", "white"), GOOD),
}


def in_common() -> list[Hostile]:
    """What may be asked of the page's endpoints and on the command line alike."""
    lines = [Hostile("picture", name, {"picture": held}, says) for name, (held, says) in PICTURES.items()]
    lines += [Hostile("instruction", name, {"instruction": text}, says) for name, (text, says) in INSTRUCTIONS.items()]
    for field in ("edits", "seed"):
        lines += [Hostile(field, name, {field: value}, "") for name, value in NUMBERS.items()]
    lines += [Hostile("edits", str(number), {"edits": number}, "") for number in (0, 1, 257, 10**6)]
    lines += [Hostile("choice", name, asked, says) for name, (asked, says) in CHOICES.items()]
    lines += [Hostile("settings", name, {"settings": value}, says) for name, (value, says) in SETTINGS.items()]
    lines += [Hostile("options", name, {"options": value}, says) for name, (value, says) in OPTIONS.items()]
    lines += [Hostile("region", name, {"region": held, "editor": "inpaint"}, says) for name, (held, says) in REGIONS.items()]
    lines.append(Hostile("region", "none at all", {"editor": "inpaint"}, "needs a region"))
    lines.append(Hostile("region", "where none is wanted", {"region": REGIONS["white"][0]}, "leave the region out"))
    return lines


LINKS = {
    "an unknown example": "example=none",
    "a path for an example": "example=../../etc/passwd",
    "markup for an example": "example=<script>alert(1)</script>",
    "a null": "example=%00",
    "no UTF-8": "instruction=%ff%fe",
    "empty instruction": "instruction=",
    "punctuation": "instruction=!!!",
    "control characters": "instruction=make%1b[2J",
    "turning signs": "instruction=%E2%80%AEsnow",
    "many words": "instruction=" + "a+" * 100,
    "long": "instruction=" + "a" * 5000,
    "unknown editor": "editor=photoshop",
    "unknown weights": "weights=/etc/passwd",
    "an address for weights": "weights=http://169.254.169.254/latest/meta-data",
    "seed text": "seed=many",
    "seed NaN": "seed=nan",
    "seed infinite": "seed=1e999",
    "seed long": "seed=" + "9" * 3000,
    "seed negative": "seed=-1",
    "edits one": "edits=1",
    "edits many": "edits=1000000",
    "edits a half": "edits=2.5",
    "the same twice": "seed=x&seed=1&edits=x",
}


def file_data(path, **more) -> dict:
    return {"path": path, "meta": {"_type": "gradio.FileData"}} | more


ADDRESS = "http://127.0.0.1:9/x.png"
FORGED = {  # in place of a picture that was uploaded
    "a path": file_data("/etc/passwd"),
    "a path with a name": file_data("/etc/passwd", orig_name="road.png"),
    "a path upward": file_data("../../../../etc/passwd"),
    "this repository": file_data("README.md"),
    "the process": file_data("/proc/self/environ"),
    "a device": file_data("/dev/zero"),
    "a folder": file_data("/"),
    "an address": file_data(ADDRESS),
    "an address beside": file_data("x.png", url=ADDRESS),
    "an https address": file_data("https://evil.example/x.png"),
    "an address of the machine": file_data("http://169.254.169.254/latest/meta-data"),
    "a file address": file_data("file:///etc/passwd"),
    "an ftp address": file_data("ftp://evil.example/x.png"),
    "data": file_data("data:image/png;base64,iVBORw0KGgo="),
    "data beside": {"path": None, "url": "data:image/png;base64,iVBORw0KGgo=", "meta": {"_type": "gradio.FileData"}},
    "data as it is": "data:image/png;base64,iVBORw0KGgo=",
    "a path as it is": "/etc/passwd",
    "an address as it is": ADDRESS,
    "a null": file_data("x\0.png"),
    "a long name": file_data("x" * 5000),
    "no path": {"meta": {"_type": "gradio.FileData"}},
    "a number for a path": file_data(3),
    "a list for a path": file_data(["/etc/passwd"]),
    "a stream": file_data("/etc/passwd", is_stream=True),
    "nested": {"a": [file_data(ADDRESS)]},
    "a number": 3,
    "a list": [file_data("/etc/passwd")],
    "true": True,
}
FAIR = {  # instead of any field's value
    "a number": 7,
    "a huge number": 10**30,
    "text": "hello",
    "long text": "x" * 20_000,
    "a list": [1, "a", None],
    "an object": {"a": {"b": []}},
    "true": True,
    "a forged file": file_data("/etc/passwd"),
    "a forged address": file_data(ADDRESS),
}
BODIES = {  # of a post to any endpoint
    "nothing": b"",
    "no JSON": b"{",
    "text": b"hello",
    "a list": b"[]",
    "null": b"null",
    "a number": b"1e999",
    "NaN": b'{"data": [NaN]}',
    "deep": b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "no UTF-8": b'{"data": ["\xff\xfe"]}',
    "half a character": b'{"data": ["\\ud800"], "fn_index": 9, "session_hash": "a"}',
    "five megabytes": b'{"data": ["' + b"x" * 5_000_000 + b'"]}',
    "no data": b'{"fn_index": 0, "session_hash": "a"}',
    "data no list": b'{"data": {"a": 1}, "fn_index": 0, "session_hash": "a"}',
    "too little data": b'{"data": [], "fn_index": 13, "session_hash": "a"}',
    "too much data": b'{"data": [1,2,3,4,5,6,7,8,9], "fn_index": 9, "session_hash": "a"}',
    "no such function": b'{"data": [], "fn_index": 100000, "session_hash": "a"}',
    "a negative function": b'{"data": [], "fn_index": -1, "session_hash": "a"}',
    "a function by name": b'{"data": [], "fn_index": "explain", "session_hash": "a"}',
    "a session that is none": b'{"data": [], "fn_index": 5, "session_hash": {"a": 1}}',
    "a long session": b'{"data": [], "fn_index": 5, "session_hash": "' + b"a" * 10_000 + b'"}',
    "somebody's event": b'{"data": [], "fn_index": 5, "event_id": "../x", "session_hash": "a"}',
    "a batch": b'{"data": [[]], "batched": true, "fn_index": 5, "session_hash": "a"}',
    "event data": b'{"data": [], "event_data": {"index": 99}, "fn_index": 46, "session_hash": "a"}',
    "event data of text": b'{"data": [], "event_data": "x", "fn_index": 46, "session_hash": "a"}',
    "no event data": b'{"data": [], "fn_index": 46, "session_hash": "a"}',
    "event data, a file": b'{"data": [], "event_data": {"path": "/etc/passwd"}, "fn_index": 46, "session_hash": "a"}',
    "a trigger": b'{"data": [], "trigger_id": 99999, "event_data": {}, "fn_index": 5, "session_hash": "a"}',
}
PLACES = (
    "queue/join",
    "run/predict",
    "run/explain",
    "api/explain",
    "call/explain",
    "call/v2/explain",
    "call/nothing",
    "cancel",
)
GETS = (  # what nobody has to look at
    "gradio_api/file=/etc/passwd", "gradio_api/file=../../etc/passwd", "gradio_api/file=%2e%2e/%2e%2e/etc/passwd",
    "gradio_api/file=/proc/self/environ", "gradio_api/file=README.md", "gradio_api/file=app.py",
    "gradio_api/file=http://127.0.0.1:9/x",
    "gradio_api/file=" + "x" * 3000, "gradio_api/file=%00", "gradio_api/file/etc/passwd", "gradio_api/proxy=http://127.0.0.1:9/",
    "gradio_api/proxy=https://evil.hf.space/x", "gradio_api/deep_link?session_hash=a", "gradio_api/stream/a/b/c/playlist.m3u8",
    "gradio_api/dev/reload", "gradio_api/run-history/records", "gradio_api/queue/data", "gradio_api/queue/data?session_hash=",
    "gradio_api/call/explain/none", "gradio_api/component_server", "monitoring", "monitoring/summary", "monitoring/x",
    "static/../app.py",
    "assets/../../app.py",
    "gradio_api/custom_component/1/a/b/../../x", "svelte/../../x", 
    "login", "gradio_api/heartbeat/" + "x" * 400, "openapi.json/../x",
    "gradio_api/runs", "?__theme=<script>", "config?x=<script>",
)  # fmt: skip
