"""What is waited for before anything is asked: `import smile`, and `python app.py` until the page is served.

Run by hand: `python tests/benchmarks/start.py [TIMES]`. Medians over TIMES starts (default 5), after one that is not counted
and fills the file caches. Wall-clock seconds hold for a machine that does nothing else; the processor's, printed beside
them, hold for a busy one too. Nothing here is asserted.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from statistics import median
from urllib.error import URLError

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120  # seconds


def imported() -> tuple[float, float]:
    """Seconds, and the processor's in user mode."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", "import smile"], cwd=ROOT)
    _, _, used = os.wait4(process.pid, 0)
    return time.perf_counter() - began, used.ru_utime


def served() -> tuple[float, float]:
    """The same until the whole page has been sent; what is loaded in the background afterwards is not counted."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"GRADIO_SERVER_PORT": str(port), "HF_HUB_OFFLINE": "1"}
    began = time.perf_counter()
    server = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        while time.perf_counter() - began < PATIENCE:
            with suppress(URLError, ConnectionError, TimeoutError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE).read()
                return time.perf_counter() - began, _user_seconds(server.pid)
            time.sleep(0.05)
        raise SystemExit(f"the page did not answer within {PATIENCE} s")
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()


def _user_seconds(process: int) -> float:
    """So far, of a process that runs (Linux)."""
    told = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return int(told[11]) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for what, start in (("import smile", imported), ("python app.py, until the page is served", served)):
        start()
        wall, used = zip(*(start() for _ in range(times)), strict=True)
        print(f"{what}: {median(wall):.2f} s (fastest {min(wall):.2f}), {median(used):.2f} s of the processor")
