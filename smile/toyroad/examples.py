"""The six example pictures of the page: `python -m smile.toyroad.examples` draws them into assets/examples."""

from __future__ import annotations

import json
from pathlib import Path

from smile.toyroad.scene import Scene, draw

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "examples"

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
}


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (scene, _) in EXAMPLES.items():
        draw(scene).save(FOLDER / f"{name}.png", optimize=True)
    listing = [{"picture": f"{name}.png", "instruction": text} for name, (_, text) in EXAMPLES.items()]
    (FOLDER / "examples.json").write_text(json.dumps(listing, indent=1) + "\n")


if __name__ == "__main__":
    main()
