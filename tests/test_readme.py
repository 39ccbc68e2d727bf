"""The README's Python lines run as they stand there."""

import re
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_five_lines(monkeypatch, capsys):
    monkeypatch.chdir(README.parent)
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(code.replace('"instruct-pix2pix")', '"instruct-pix2pix", weights="bundled")'), names)
    assert "“snow”" in capsys.readouterr().out
    explanation = names["explanation"]
    assert explanation.words[3] == "snow" and explanation.significant.tolist().count(True) >= 1
    assert explanation.overlay(3).size == explanation.image.size
