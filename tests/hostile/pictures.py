"""Files given as a picture or a region: {name: (bytes, a piece of the sentence that refuses them, or GOOD or EITHER)}."""

import io
import math
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image

from hostile import EITHER, GOOD


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
