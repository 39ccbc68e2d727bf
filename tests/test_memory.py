"""Loading editors and letting them go, again and again: memory comes back."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 11
CODE = """
import sys
from PIL import Image
from smile.models.editors import EDITORS, load_editor

def resident():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))

for _ in range(int(sys.argv[1])):
    for name, entry in EDITORS.items():
        editor = load_editor(name, weights="bundled", device="cpu")
        editor = editor.with_settings(steps=1) if "steps" in editor.settings else editor
        region = {"region": Image.new("L", (64, 64), 255)} if entry.needs_region else {}
        editor.edit(Image.new("RGB", (64, 64), "red"), ["make it snow", ""], seed=0, **region)
        del editor
    print(resident(), flush=True)
"""


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_ten_more_rounds_of_all_editors_take_no_more_memory_than_the_first():
    done = subprocess.run([sys.executable, "-c", CODE, str(ROUNDS)], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    megabytes = [float(line) for line in done.stdout.split()]
    assert len(megabytes) == ROUNDS and max(megabytes[1:]) <= 1.05 * megabytes[0], megabytes
