"""Where the files that come with the package lie: beside it in a checkout, inside it where it was installed."""

from pathlib import Path

_INSTALLED = Path(__file__).parent / "assets"
ASSETS = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[1] / "assets"
EXAMPLES = ASSETS / "examples"
MODELS = ASSETS / "models"
SUITES = ASSETS / "scenarios"
