"""Memory while one editor takes the place of another."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = """
import json, resource, sys, tempfile
from pathlib import Path
from PIL import Image
from tiny import picture
from tiny_editors import fill_folder, klein_folder, kontext_folder, xl_folder
from tiny import instruct_pix2pix_folder
from smile import load_editor

root, peaks = Path(tempfile.mkdtemp()), []
make = {"klein": klein_folder, "kontext": kontext_folder, "fill": fill_folder, "own": instruct_pix2pix_folder}
folders = [make[name](root / name) for name in make] + [xl_folder(root / "xl", "instruct-pix2pix")]
for turn in range(3):
    for folder in folders:
        editor = None  # as the page drops one before it loads another
        editor = load_editor(str(folder), steps=1)
        editor.working_size = 64
        region = {"region": Image.new("L", (64, 64), 255)} if editor.takes_region else {}
        editor.edit(picture((64, 64)), ["make it snow", ""], seed=0, **region)
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(json.dumps(peaks))
"""


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Other systems count memory otherwise.")
def test_ten_switches_among_five_editors_take_no_more_memory_than_the_first_round():
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr[-2000:]
    first, *_, last = map(int, done.stdout.strip().splitlines()[-1].strip("[]").split(","))
    assert last <= 1.05 * first
