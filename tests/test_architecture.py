"""What pyproject.toml says of the code holds: who may import whom, types, style; and what stands in which room."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = {
    "import-linter": ["-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"],
    "mypy": ["-m", "mypy"],
    "ruff check": ["-m", "ruff", "check", "--no-cache"],
    "ruff format": ["-m", "ruff", "format", "--check", "--no-cache"],
}
LONGEST = 400  # lines of a Python file


@pytest.mark.process
@pytest.mark.parametrize("tool", TOOLS)
def test_the_code_passes(tool):
    done = subprocess.run([sys.executable, *TOOLS[tool]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_no_python_file_is_longer_than_anybody_reads():
    files = [path for folder in ("smile", "tests") for path in (ROOT / folder).rglob("*.py")] + [ROOT / "app.py"]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert not {str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > LONGEST}


def test_the_top_level_is_fixed():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    top = {name.partition("/")[0] for name in listed if not name.startswith(".")}
    assert top == {"LICENSE", "README.md", "app.py", "assets", "pyproject.toml", "requirements.txt", "smile", "tests"}
