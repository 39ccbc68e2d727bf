"""What an explanation costs, and where it goes. Run by hand: `python tests/benchmarks/cost.py` prints the tables and writes
them to assets/docs/tables/cost.md; with the names of parts (`… cost.py edits rest`), it prints those only.

Ratios are of processor seconds of this process, alternating in one run, because other work on a machine changes what a
clock on the wall says. Nothing here is asserted.
"""

import hashlib
import inspect
import platform
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.pipelines import decode_by_ours, decode_by_pipeline, put_channels_first, run_pipeline  # noqa: E402

PICTURE, INSTRUCTION = ROOT / "assets" / "examples" / "summer-day.png", "please make it snow in this picture"
TO = ROOT / "assets" / "docs" / "tables" / "cost.md"
ROUNDS = 2
USE = 0.4  # of a GPU's published throughput
GPUS = {"H100 SXM": 989e12, "A10G": 70e12}  # published operations a second, half precision, dense
SIDE, STEPS = 512, 20


def edits() -> str:
    """Edits and embeddings of the same texts: diffusers' pipeline called for each, and ours."""
    editor, embedder, picture, texts = *bundled(), *sixteen()
    usual = put_channels_first(bundled()[0])

    def plainly():
        for text in texts:
            embedder.embed([run_pipeline(usual, picture, text)])

    def ours(batch, which=editor):
        which.memory.batch_size = batch
        embedder.embed(which.edit(picture, texts, seed=0))

    def flushed():
        torch.set_flush_denormal(True)
        ours(8)
        torch.set_flush_denormal(False)

    ways = {
        "the pipeline, once for each text, one picture embedded at a time": plainly,
        "ours, 8 texts at a time": lambda: ours(8),
        "ours, 1 at a time": lambda: ours(1),
        "ours, 4 at a time": lambda: ours(4),
        "ours, 16 at a time": lambda: ours(16),
        "ours, 8 at a time, channels not last": lambda: ours(8, usual),
        "ours, 8 at a time, denormal numbers flushed to 0": flushed,
    }
    spent = alternating(ways)
    first = next(iter(spent.values()))
    rows = [(name, f"{each / len(texts):.3f}", f"{first / each:.2f}") for name, each in spent.items()]
    return table(("16 edits with their embeddings", "CPU seconds an edit", "times as fast"), rows)


def agreement() -> str:
    """The largest differences with and without each thing that saves work, in units of the range of pixels."""
    editor, _, picture, texts = *bundled(), *sixteen()
    texts = texts[:6]
    rows = []

    def compare(name, one, other):
        rows.append((name, f"{np.abs(one - other).max():.1e}"))

    whole = decode_by_ours(editor, picture, texts)
    compare("8 texts at a time and 1", whole, decode_by_ours(editor, picture, texts, batch=1))
    compare("our steps and the pipeline's, as bundled", whole, decode_by_pipeline(editor, picture, texts))
    strong = editor.with_settings(guidance=3.0, image_guidance=1.5)
    guided = decode_by_ours(strong, picture, texts)
    compare(
        "first step shared and not (guidance 3 and 1.5), against the pipeline's",
        guided,
        decode_by_pipeline(strong, picture, texts),
    )
    left_out = editor.with_settings(guidance=3.0)
    compare(
        "a branch left out and not (guidance 3 and 1), against the pipeline's",
        decode_by_ours(left_out, picture, texts),
        decode_by_pipeline(left_out, picture, texts),
    )
    with torch.inference_mode():
        together = editor.encode_texts(texts).numpy()
        editor._text_states.clear()
        alone = np.concatenate([editor.encode_texts([text]).numpy() for text in texts])
    compare("texts read together and alone (text states)", together, alone)
    compare("channels last and not", whole, decode_by_ours(put_channels_first(bundled()[0]), picture, texts))
    torch.set_flush_denormal(True)
    compare("denormal numbers flushed to 0 and not", whole, decode_by_ours(editor, picture, texts))
    torch.set_flush_denormal(False)
    weights = []
    for batch in (8, 1):
        editor.memory.batch_size = batch
        weights.append(explained(editor).weights)
    compare("a word's weight, 8 texts at a time and 1", *weights)
    return table(("", "largest difference"), rows)


def rest() -> str:
    """Everything that is not the editor's, of whole explanations with the bundled weights."""
    from smile import explain

    rows = []
    for name, path, instruction in (
        ("instruct-pix2pix", "summer-day", INSTRUCTION),
        ("img2img-turbo", "green-hills", "change the season to autumn now"),
        ("inpaint", "open-sky", "make it look like night"),
    ):
        editor, _ = bundled(name)
        region = {"region": PICTURE.with_stem("open-sky-region")} if name == "inpaint" else {}
        spent = []
        for _ in range(ROUNDS):
            clock, Clocked.embedder.spent, began = Clocked(editor), 0.0, time.process_time()
            explain(PICTURE.with_stem(path), instruction, clock, edits=16, embedder=Clocked.embedder, **region)
            whole = time.process_time() - began
            spent.append((clock.spent, Clocked.embedder.spent, whole - clock.spent - Clocked.embedder.spent))
        spent = np.array(spent)
        edited, embedded, other = spent[spent[:, 0].argsort()[len(spent) // 2]]
        rows.append((name, f"{edited:.2f}", f"{embedded:.2f}", f"{other:.2f}", f"{(embedded + other) / edited:.1%}"))
    return table(("16 edits and 4 other seeds", "edits", "embedding", "all the rest", "not the editor's / the editor's"), rows)


class Clocked:
    """An editor, or an embedder, with a clock of processor seconds."""

    embedder = None  # the bundled one, set at the start

    def __init__(self, inner):
        self.inner, self.spent = inner, 0.0

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def edit(self, *given, **options):
        return self._timed(self.inner.edit, *given, **options)

    def embed(self, images):
        return self._timed(self.inner.embed, images)

    def _timed(self, call, *given, **options):
        began = time.process_time()
        try:
            return call(*given, **options)
        finally:
            self.spent += time.process_time() - began


def growth() -> str:
    """The rest of an explanation, at an editor and embedder that cost nothing, against edits and words."""
    from smile import explain

    picture = Image.open(PICTURE)
    rows = []
    for words, count in [(5, 8)] + [(8, n) for n in (16, 32, 64, 128, 256)] + [(k, 136) for k in (1, 2, 4, 8, 16, 32, 64)]:
        instruction, options = " ".join(f"w{i}" for i in range(words)), {"edits": count, "embedder": Nothing()}
        began = time.process_time()
        made = explain(picture, instruction, Nothing(), **options)
        spent = time.process_time() - began
        tracemalloc.start()
        explain(picture, instruction, Nothing(), **options)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        rows.append((words, len(made.texts), f"{spent:.2f}", f"{peak / 2**20:.0f}"))
    return table(("words", "edits", "CPU seconds", "MiB at most"), rows)


class Nothing:
    """An editor whose edits, and an embedder whose vectors, are numbers drawn from the text."""

    batch_size = 8

    def __init__(self, length: int = 96):
        self.length = length

    def edit(self, image, texts, *, seed, region=None):
        return [Image.fromarray(drawn(f"{seed} {text}").integers(0, 255, (8, 8, 3)).astype(np.uint8)) for text in texts]

    def embed(self, images):
        patches = np.stack([drawn(image.tobytes()).normal(size=(256, self.length)) for image in images])
        return patches.mean(axis=1), patches


def memory() -> str:
    """Counted, not measured on a GPU: the most memory that the tensors of an edit's two halves take with the published
    dimensions, at half the side, by texts at a time. Attention is counted as computed whole, which fused kernels do not."""
    rows = []
    for part, run in full_size().items():
        peaks = [peak_bytes(run, n) for n in (1, 2, 4)]
        each = (peaks[2] - peaks[0]) / 3
        cells = [f"{peak / 2**20:.0f}" for peak in peaks]
        rows.append((part, *cells, f"{each / 256**2 / 2:.0f}"))
    head = ("MiB beside the weights, 256 x 256, single precision", "1", "2", "4", "half-precision bytes a pixel and text")
    return table(head, rows)


def full_size() -> dict:
    """{part: f(texts)} with the published dimensions on the device "meta", where nothing is computed."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from layouts import INSTRUCT_PIX2PIX, VAE

    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(INSTRUCT_PIX2PIX["unet"]).eval().requires_grad_(False)
        vae = AutoencoderKL.from_config(VAE).eval().requires_grad_(False)

    def denoise(n, side=SIDE // 16):
        seen, states = torch.empty(3 * n, 8, side, side, device="meta"), torch.empty(3 * n, 77, 768, device="meta")
        unet(seen, torch.tensor(1, device="meta"), states)

    return {
        "a step, three branches": denoise,
        "decoding": lambda n, side=32: vae.decode(torch.empty(n, 4, side, side, device="meta")),
    }


def peak_bytes(run, texts: int) -> int:
    """The most bytes that tensors made in `run` take at a time: as many as are alive after each operation."""
    import gc
    import weakref

    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Alive(TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.now, self.most = 0, 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            made = function(*args, **(kwargs or {}))
            known = {tensor.untyped_storage()._cdata for tensor in tensors((args, kwargs))}
            for storage in (tensor.untyped_storage() for tensor in tensors(made)):
                if storage._cdata not in known:  # else a view, or written in place
                    self.now += storage.nbytes()
                    self.most = max(self.most, self.now)
                    weakref.finalize(storage, self.forget, storage.nbytes())
            return made

        def forget(self, size):
            self.now -= size

    def tensors(held):
        return [leaf for leaf in tree_leaves(held) if isinstance(leaf, torch.Tensor)]

    gc.collect()
    with torch.no_grad(), Alive() as alive:
        run(texts)
    return alive.most


def bound() -> str:
    """Computed, not measured on a GPU: this processor's seconds for the rest against a GPU's for the edits."""
    from torch.utils.flop_counter import FlopCounterMode

    from smile import explain

    flops = {}
    for part, run in full_size().items():
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            run(1, SIDE // 8)
        flops[part] = counter.get_total_flops()
    step, decoding = flops.values()
    whole = 20 * (STEPS * step + decoding)
    spent = []
    for _ in range(ROUNDS + 1):
        began = time.process_time()
        explain(Image.open(PICTURE), INSTRUCTION, Nothing(), edits=16, embedder=Nothing(768))  # DINOv2-base's
        spent.append(time.process_time() - began)
    other = min(spent)
    rows = []
    for name, speed in GPUS.items():
        seconds = whole / USE / speed
        rows.append((name, f"{whole / 1e12:.0f}", f"{seconds:.1f}", f"{other:.2f}", f"{other / seconds:.1%}"))
    return table(("GPU", "10^12 operations", "seconds for 16 + 4 edits", "CPU seconds for the rest", "rest / edits"), rows)


def fewer() -> str:
    """What fewer steps cost in accuracy: instruct-pix2pix as bundled, the first 16 held-out instructions that it carries out
    with 10 steps (`smile.toyroad.training.evaluate`), 16 edits each."""
    from smile import explain
    from smile.evaluation.metrics import accuracy
    from smile.toyroad.cases import CASES, HELD_OUT, carried_out

    editor, embedder = bundled()
    scores: dict = {steps: [] for steps in (10, 5, 3)}
    number = 0
    while len(scores[3]) < 16:
        number += 1
        case = CASES["instruct-pix2pix"](2_000_000 + number, ("single", "compound")[number % 2])
        matters = case.find_relevant_words()
        if not 4 <= len(case.words) <= 9 or matters.all():
            continue
        for steps, column in scores.items():
            quick, text = editor.with_settings(steps=steps), case.instruction.text
            began = time.process_time()
            full = case.edit(quick, [text], seed=number)[0]
            spent = time.process_time() - began
            done = carried_out(full, case, np.random.default_rng((HELD_OUT, number, 2)))[0]
            if steps == 10 and not done:
                break
            made = explain(case.picture, text, quick, embedder=embedder, seed=number, permutations=1, noise_seeds=0)
            top = bool(matters[np.argmax(np.abs(made.weights))])
            column.append((done, accuracy(made.weights, matters)["auroc"], top, spent))
    rows = []
    for steps, column in sorted(scores.items()):
        done, auroc, top, spent = np.mean(column, axis=0)
        rows.append((steps, f"{done:.0%}", f"{auroc:.3f}", f"{top:.0%}", f"{spent:.2f}"))
    return table(("steps", "carried out", "AUROC of the weights", "top word matters", "CPU seconds of one edit alone"), rows)


# What the parts share.


def bundled(name="instruct-pix2pix"):
    from smile import load_editor, load_embedder

    Clocked.embedder = Clocked.embedder or Clocked(load_embedder("bundled"))
    return load_editor(name, weights="bundled"), Clocked.embedder


def sixteen():
    from smile.io.images import open_picture

    words = INSTRUCTION.split()
    return open_picture(PICTURE), [" ".join(words[i:j]) for i in range(4) for j in range(4, 8)]


def explained(editor):
    from smile import explain

    return explain(PICTURE, INSTRUCTION, editor, edits=16, noise_seeds=0, embedder=Clocked.embedder)


def drawn(what) -> np.random.Generator:
    what = what.encode() if isinstance(what, str) else what
    return np.random.default_rng(int.from_bytes(hashlib.sha256(what).digest()[:8], "big"))


def alternating(ways: dict) -> dict:
    """{name: the least processor seconds of each over the rounds}, after one round that is not counted."""
    spent: dict = {name: [] for name in ways}
    for number in range(ROUNDS + 1):
        for name, run in ways.items():
            began = time.process_time()
            run()
            spent[name] += [time.process_time() - began] if number else []
    return {name: min(each) for name, each in spent.items()}


def table(head, rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


PARTS = {part.__name__: part for part in (edits, rest, agreement, bound, memory, growth, fewer)}

if __name__ == "__main__":
    torch.set_num_threads(1)  # threads that wait would count as work
    chosen = sys.argv[1:] or list(PARTS)
    page = [
        "# What an explanation costs",
        f"Printed by `python tests/benchmarks/cost.py` on one thread of {platform.machine()}, torch {torch.__version__}.",
    ]
    for name in chosen:
        page += [inspect.getdoc(PARTS[name]), PARTS[name]()]
        print(*page[-2:], sep="\n\n", end="\n\n", flush=True)
    if chosen == list(PARTS):
        TO.parent.mkdir(parents=True, exist_ok=True)
        TO.write_text("\n\n".join(page) + "\n", encoding="utf-8")
