"""The example pictures of the page: `python -m smile.toyroad.examples` draws them into assets/examples."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image, ImageDraw

from smile.toyroad.regions import zone
from smile.toyroad.scene import SIZE, Scene, draw

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "examples"

# name -> scene, instruction, and for other editors than Instruct-Pix2Pix: editor, weights, whose zone is the region
EXAMPLES = {
    "summer-day": (
        Scene(car="yellow", horizon=0.4, bend=0.3, sun_x=0.75, cloud_x=0.2, hills=0.1, time_shade=0.2),
        "please make it snow in this picture",
    ),
    "empty-road": (
        Scene(car=None, tree=False, horizon=0.6, bend=0.7, sun_x=0.2, cloud_x=0.7, hills=0.6),
        "put a car here",
    ),
    "autumn-house": (
        Scene(season="autumn", car="blue", tree_right=False, horizon=0.3, sun_x=0.5, cloud_x=0.9, season_shade=0.4),
        "make it night and remove the house",
    ),
    "rainy-road": (
        Scene(weather="rain", car="green", house=False, horizon=0.5, bend=0.2, weather_amount=0.6),
        "transform the weather to sunny",
    ),
    "winter-night": (
        Scene(time="night", weather="snow", car="red", horizon=0.7, weather_amount=0.4, time_shade=0.3),
        "show this road in daylight",
    ),
    "sunset-drive": (
        Scene(time="sunset", car="red", tree=False, season="autumn", horizon=0.5, sun_x=0.3, bend=0.8, hills=0.3),
        "paint the car blue",
    ),
    "green-hills": (
        Scene(car="red", house=False, horizon=0.6, sun_x=0.6, bend=0.6, hills=0.8, tree_right=False, cloud_x=0.4),
        "change the season to autumn now",
        {"editor": "img2img-turbo"},
    ),
    "by-the-house": (
        Scene(car="red", tree=False, horizon=0.4, sun_x=0.3, bend=0.4, hills=0.4, cloud_x=0.6),
        "a blue car on a road at night",
        {"editor": "img2img-turbo", "weights": "bundled-edges"},
    ),
    "free-corner": (
        Scene(car="blue", tree=False, season="autumn", horizon=0.5, sun_x=0.4, bend=0.5, hills=0.2, cloud_x=0.1),
        "please add a tree there",
        {"editor": "inpaint", "region": "tree"},
    ),
    "open-sky": (
        Scene(car="green", house=False, horizon=0.6, sun_x=0.7, bend=0.3, hills=0.7, cloud_x=0.5),
        "make it look like night",
        {"editor": "inpaint", "region": "time"},
    ),
}


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    listing = []
    for name, (scene, text, *more) in EXAMPLES.items():
        draw(scene).save(FOLDER / f"{name}.png", optimize=True)
        more = dict(*more)
        if "region" in more:
            region = Image.new("L", (SIZE, SIZE))
            ImageDraw.Draw(region).rectangle(zone(scene, more["region"]), fill=255)
            region.save(FOLDER / f"{name}-region.png", optimize=True)
            more["region"] = f"{name}-region.png"
        listing.append({"picture": f"{name}.png", "instruction": text} | more)
    (FOLDER / "examples.json").write_text(json.dumps(listing, indent=1) + "\n")


if __name__ == "__main__":
    main()
