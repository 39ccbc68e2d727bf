"""Many visitors at once, and many requests for a long time, on NumPy editors over loopback.

    python tests/benchmarks/load.py                       50 visitors at the same moment, and how fast Stop frees the editor
    python tests/benchmarks/load.py --minutes 60          the soak: good and bad requests, memory and files before and after
    python tests/benchmarks/load.py --mixed 10            50 visitors for ten minutes: runs, aborts, bundles, exports, uploads
    python tests/benchmarks/load.py --gets 200            so many visits with all bundled editors loaded: memory and processor

It ends with an error where somebody got another's answer or none at all, or memory grew by more than 2 % after warm-up.
"""

import argparse
import gc
import json
import re
import sys
import threading
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import httpx  # noqa: E402
from bundles import json_of, run, written  # noqa: E402
from hostile import EITHER, GOOD  # noqa: E402
from hostile.inputs import SHARED  # noqa: E402
from hostile.pictures import png  # noqa: E402
from tiny import FakeBackend, FakeEmbedder  # noqa: E402
from visitor import FULL, Visitor  # noqa: E402

import app  # noqa: E402
from smile.ui import middleware  # noqa: E402
from smile.ui.engine import Engine  # noqa: E402

GROWTH = 0.02
PATIENT = 600  # seconds


class Slow(FakeBackend):
    """Takes as long as a model may."""

    seconds = 0.02

    def edit(self, image, texts, *, seed, region=None):
        time.sleep(self.seconds * len(texts))
        return super().edit(image, texts, seed=seed)


class Page:
    """The page on slow editors; `url` while it is open."""

    def __enter__(self):
        self.page = app.build(Engine(lambda *names: (Slow(*names), FakeEmbedder())))
        _, self.url, _ = self.page.launch(
            prevent_thread_lock=True, quiet=True, state_session_capacity=middleware.SESSIONS, **app.OPTIONS
        )
        return self

    def __exit__(self, *_):
        self.page.close()


def together(url: str, count: int) -> Counter:
    """What so many visitors at the same moment get. Everyone asks for words that nobody else uses."""
    outcomes, lock, ready = Counter(), threading.Lock(), threading.Barrier(count)

    def visit(number):
        visitor = Visitor(url, timeout=PATIENT)
        words = f"make visitor{number}"
        picture = visitor.uploaded(png(colour=(number, 90, 90)))
        ready.wait()
        try:
            made, said = visitor.explained(picture=picture, instruction=words)
            outcome = "result" if made else said
            if made and (made["words"] != words.split() or made["provisional"]):
                outcome = "somebody else's"
        except Exception as error:  # whatever it is, this visitor got no answer, and is counted
            outcome = f"lost: {type(error).__name__}"
        with lock:
            outcomes[outcome] += 1

    threads = [threading.Thread(target=visit, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENT)
    return outcomes


def freed(page) -> tuple[float, float]:
    """Seconds from Stop to the next visitor's first edit, and seconds that a batch takes."""
    index = next(i for i, fn in page.page.fns.items() if fn.api_name == "explain")
    one, other = Visitor(page.url, timeout=PATIENT), Visitor(page.url, timeout=PATIENT)
    body = {"data": [], "fn_index": index, "session_hash": "stopper"}
    body["data"] = [one.uploaded(png()), "one two three four five six", 64, 0, "instruct-pix2pix", "auto", None, "", None, None]
    event = one.post("queue/join", body).json()["event_id"]
    told = one.hear("queue/data?session_hash=stopper")
    next(message for _, message in told if message["msg"] == "process_generating")
    done = []
    waiting = threading.Thread(target=lambda: done.append(other.explained(instruction="snow")))
    waiting.start()
    time.sleep(0.3)
    began = time.monotonic()
    one.post("cancel", {"session_hash": "stopper", "fn_index": index, "event_id": event})
    waiting.join(PATIENT)
    told.close()
    assert done[0][0], done
    return time.monotonic() - began, 8 * Slow.seconds


def memory() -> float:
    """Megabytes of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def watch_memory(visit, visitors: int, seconds: float, times: int) -> list[float]:
    """Megabytes, up to so many times, while `visit(number)` runs for each visitor; files are kept for a third of that time."""
    threads = [threading.Thread(target=visit, args=[number], daemon=True) for number in range(visitors)]
    for thread in threads:
        thread.start()

    def measure() -> float:
        time.sleep(seconds / times)
        middleware.sweep(max(60, seconds / 3))  # not earlier, or what somebody waits for would go
        return memory()

    began, levels = time.monotonic(), []
    while time.monotonic() < began + seconds:  # measuring takes time, too, where the visitors keep the machine busy
        levels.append(measure())
    end = time.monotonic() + 2 * PATIENT
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    if any(thread.is_alive() for thread in threads):
        sys.exit("A visitor still waits; nobody may wait for ever.")
    return levels


def soak(url: str, seconds: float, visitors: int = 3) -> dict:
    """Good and bad requests in turns; memory after a third of the time, and at the end."""
    lines = [line for line in SHARED if "picture" not in line.asked or len(line.asked["picture"]) < 10**6]
    end, counts, lock = time.monotonic() + seconds, Counter(), threading.Lock()

    def visit(number):
        visitor = Visitor(url, timeout=PATIENT)
        turn = number
        while time.monotonic() < end:
            line = lines[(turn * 7) % len(lines)]
            asked = {"instruction": "make it snow"} if turn % 4 == 0 else line.asked
            made, said = visitor.explained(**asked)
            with lock:
                counts["good" if made else "full" if said == FULL else "refused"] += 1
                if made and asked is line.asked and line.says not in (GOOD, EITHER):
                    counts["accepted nonsense"] += 1
            turn += visitors

    levels = watch_memory(visit, visitors, seconds, 30)
    third = len(levels) // 3
    before, after = sorted(levels[third : 2 * third])[third // 2], sorted(levels[-third:])[third // 2]
    middleware.sweep(0)
    left = sum(path.is_file() for path in Path(middleware.get_upload_folder()).rglob("*"))
    return dict(counts) | {"MB after warm-up": round(before, 1), "MB at the end": round(after, 1), "files left": left}


ENDS, NAMED = ("process_generating", "process_completed"), re.compile(r"visitor(\d+)")
PAUSE = 1.0  # seconds that a visitor looks at what came
MIXED_GROWTH = 0.05  # of the memory after two minutes, or a fifth of the time
GETS_MB, GET_SECONDS = 20, 0.03


def mix(page, seconds: float, visitors: int = 50) -> dict:
    """So many visitors, each of whom explains, aborts, opens a bundle of its own, exports it, and uploads, in turns. Everybody
    has words that nobody else uses."""
    end, counts, lock = time.monotonic() + seconds, Counter(), threading.Lock()
    index = next(i for i, fn in page.page.fns.items() if fn.api_name == "explain")
    ids = {block.elem_id: number for number, block in page.page.blocks.items() if getattr(block, "elem_id", None)}
    take = next(i for i, fn in page.page.fns.items() if (ids["take-zip"], "click") in fn.targets)
    bundles = [written(run(f"make visitor{number}", edits=4)) for number in range(visitors)]

    def abort(visitor, session, how):
        """By Stop, or by closing the page; while it runs, or waits."""
        data = [visitor.uploaded(png()), "make it snow", 16, 0, "instruct-pix2pix", "auto", None, "", None, None]
        joined = visitor.post("queue/join", {"data": data, "fn_index": index, "session_hash": session})
        if joined.status_code != 200:
            return "full"
        next(told := visitor.hear(f"queue/data?session_hash={session}"))
        if how:
            visitor.post("cancel", {"session_hash": session, "fn_index": index, "event_id": joined.json()["event_id"]})
        told.close()
        return "stopped" if how else "left"

    def open_and_take(visitor, number):
        """A bundle, which is shown, and then exported."""
        session = f"mixed-{number}"
        body = {"data": [{"orig_name": "a.zip"} | visitor.uploaded(bundles[number], "a.zip")], "session_hash": session}
        joined = visitor.post("queue/join", body | {"fn_index": visitor.index("open_bundle")})
        if joined.status_code != 200:
            return "full"  # nothing will ever come for it
        heard = visitor.hear(f"queue/data?session_hash={session}")
        told = json.dumps([next(message for _, message in heard if message["msg"] == what) for what in ENDS])
        heard.close()
        if others := set(NAMED.findall(told)) - {str(number)}:
            return f"somebody else's: {others}"
        asked = {"data": [None, [], None], "fn_index": take, "session_hash": session}
        taken = visitor.post("run/predict", asked).json()["data"][0]
        if taken is None or f"visitor{number}" not in told:
            return f"lost: {told[-300:]}"
        instruction = json_of(visitor.http.get(f"gradio_api/file={taken['path']}").content)["instruction"]
        return "opened and exported" if instruction == f"make visitor{number}" else f"somebody else's: {instruction}"

    def explain(visitor, number):
        made, said = visitor.explained(instruction=f"make visitor{number}", picture=png(colour=(number, 90, 90)))
        if not made:
            return "full" if said == FULL else f"lost: {said}"
        return "explained" if made["words"] == ["make", f"visitor{number}"] else f"somebody else's: {made['words']}"

    def act(visitor, number, turn):
        match turn % 4:
            case 0:
                return explain(visitor, number)
            case 1:
                return abort(visitor, f"abort-{number}-{turn}", turn % 8 < 4)
            case 2:
                return open_and_take(visitor, number)
        return "uploaded" if visitor.uploaded(png((64, 64))) else "lost"

    def visit(number):
        visitor, turn = Visitor(page.url, timeout=PATIENT), number
        while time.monotonic() < end:
            try:
                outcome = act(visitor, number, turn)
            except Exception as error:  # whatever it is, this visitor got no answer, and is counted
                outcome = f"lost: {type(error).__name__} {error}"
            with lock:
                counts[outcome[:120]] += 1
            time.sleep(PAUSE)
            turn += 1

    levels = watch_memory(visit, visitors, seconds, 50)
    fifth = max(1, len(levels) // 5)
    middleware.sweep(0)
    left = sum(path.is_file() for path in Path(middleware.get_upload_folder()).rglob("*"))
    level = {"MB after a fifth": round(sorted(levels[fifth : 2 * fifth])[fifth // 2], 1), "MB at most": round(max(levels), 1)}
    return dict(counts) | level | {"MB at the end": round(sorted(levels[-fifth:])[fifth // 2], 1), "files left": left}


def get(count: int) -> dict:
    """Visits of / and /config while all bundled editors are loaded, as `app.py` loads them."""
    from smile.models.editors import EDITORS

    engine = Engine()
    page = app.build(engine)
    for name, entry in EDITORS.bundled.items():
        for weights in (each for each in entry.weights if each.startswith("bundled")):
            engine.load(name, weights)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, state_session_capacity=middleware.SESSIONS, **app.OPTIONS)
    seconds, http = [], httpx.Client(base_url=url, timeout=PATIENT)
    for number in range(20 + count):
        if number == 20:
            before = memory()
        for path in ("", "config"):
            began = time.process_time()
            assert http.get(path).status_code == 200
            seconds.append(time.process_time() - began)
    grown = memory() - before
    page.close()
    median = sorted(seconds[40:])[count]
    return {"loaded": len(engine._loaded), "gets": 2 * count, "MB grown": round(grown, 1), "median s": round(median, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=50, metavar="N", help="at the same moment (default 50)")
    parser.add_argument("--minutes", type=float, metavar="M", help="soak for so long instead")
    parser.add_argument("--mixed", type=float, metavar="M", help="50 visitors doing all kinds of things for so many minutes")
    parser.add_argument("--gets", type=int, metavar="N", help="visits with all bundled editors loaded")
    args = parser.parse_args()
    if args.gets:
        figures = get(args.gets)
        print(*(f"{name}: {value}" for name, value in figures.items()), sep="\n")
        sys.exit(bool(figures["MB grown"] > GETS_MB or figures["median s"] > GET_SECONDS))
    with Page() as page:
        if args.mixed:
            figures = mix(page, 60 * args.mixed, args.visitors)
            print(*(f"{name}: {value}" for name, value in sorted(figures.items())), sep="\n")
            grown = figures["MB at the end"] / figures["MB after a fifth"] - 1
            print(f"memory grew by {100 * grown:.1f} %")
            bad = [name for name in figures if name.startswith(("lost", "somebody"))]
            sys.exit(bool(grown > MIXED_GROWTH or figures["files left"] or bad))
        if args.minutes:
            figures = soak(page.url, 60 * args.minutes)
            print(*(f"{name}: {value}" for name, value in figures.items()), sep="\n")
            grown = figures["MB at the end"] / figures["MB after warm-up"] - 1
            print(f"memory grew by {100 * grown:.1f} %")
            sys.exit(bool(grown > GROWTH or figures["files left"] or figures.get("accepted nonsense")))
        began = time.monotonic()
        outcomes = together(page.url, args.visitors)
        print(f"{args.visitors} visitors in {time.monotonic() - began:.1f} s: {dict(outcomes)}")
        seconds, batch = freed(page)
        print(f"Stop: the next one's answer is there after {seconds:.2f} s; a batch takes {batch:.2f} s")
        sys.exit(bool(set(outcomes) - {"result", FULL}))


if __name__ == "__main__":
    main()
