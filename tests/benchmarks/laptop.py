"""What a laptop's user waits for, and what the design choices buy. Run by hand: `python tests/benchmarks/laptop.py`.

Seconds are printed because people ask, and hold for this machine and this moment only; the ratios are measured side by
side in one run. Nothing here is asserted.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

PICTURE, INSTRUCTION = ROOT / "assets" / "examples" / "summer-day.png", "please make it snow in this picture"


def page_answers() -> float:
    """Seconds from `python app.py` until the page answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.perf_counter()
    environment = os.environ | {"GRADIO_SERVER_PORT": str(port)}
    server = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        while time.perf_counter() - began < 120:
            with suppress(URLError, ConnectionError, TimeoutError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read()
                return time.perf_counter() - began
            time.sleep(0.1)
        raise SystemExit("the page did not answer within 120 s")
    finally:
        server.terminate()
        server.wait()


def explanation() -> tuple[float, float]:
    """Seconds until the first edit and until the end of a 16-edit explanation, models loaded."""
    from smile import explain_stream, load_editor

    editor = load_editor("instruct-pix2pix", weights="bundled")
    list(explain_stream(PICTURE, "make it night", editor, edits=8))  # loads the embedder, warms up
    began, first = time.perf_counter(), None
    for _ in explain_stream(PICTURE, INSTRUCTION, editor, edits=16):
        first = first or time.perf_counter() - began
    return first, time.perf_counter() - began


def batches(rounds: int = 3) -> float:
    """Time of 16 single-text calls over time of one call with 16 texts."""
    from smile import load_editor
    from smile.io.images import open_picture

    editor, picture = load_editor("instruct-pix2pix", weights="bundled"), open_picture(PICTURE)
    texts = [" ".join(INSTRUCTION.split()[i:j]) for i in range(4) for j in range(4, 8)]
    single = together = 0.0
    editor.edit(picture, texts, seed=0)
    for _ in range(rounds):
        began = time.perf_counter()
        for text in texts:
            editor.edit(picture, [text], seed=0)
        middle = time.perf_counter()
        editor.edit(picture, texts, seed=0)
        single, together = single + middle - began, together + time.perf_counter() - middle
    return single / together


if __name__ == "__main__":
    print(f"page answers after                          {page_answers():5.1f} s")
    first, whole = explanation()
    print(f"first edit of a 16-edit explanation after   {first:5.1f} s")
    print(f"the whole, four noise seeds included        {whole:5.1f} s")
    print(f"16 single calls / one call with 16 texts    {batches():5.2f}")
