"""Edits made once. An experiment on thousands of edits takes longer than a session, and every analysis should look at the
same ones: so each edit is kept on disk with its embedding, by what it was made from, and a run cut short goes on.
"""

import hashlib
import io
import sqlite3
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from smile.io.images import fit_picture, open_region
from smile.paths import MODELS
from smile.toyroad.cases import CASES, HELD_OUT, Case, carried_out
from smile.toyroad.scene import OPEN

KEPT = Path(__file__).resolve().parents[2] / ".training" / "method" / "edits.sqlite"
FIRST = 3_000_000  # of the held-out pictures and instructions here; the model card's begin elsewhere
LENGTHS = {False: (4, 6), True: (7, 12)}  # words of short and of compound instructions
BATCH = 8
TABLES = """
create table if not exists edit (key text primary key, vector blob, patches blob, picture blob);
create table if not exists judged (key text primary key, done integer);
"""


def held_out(editor: str, count: int, compound: bool = False, longest: int | None = None) -> list[tuple[int, Case]]:
    """The first (number, case) of an editor: short instructions, the six attributes in turn, all combinations of whose
    words can be edited; or compound ones. Some words matter, and some do not."""
    found, number = [], FIRST + 1_000_000 * compound
    shortest, longest = LENGTHS[compound][0], longest or LENGTHS[compound][1]
    while len(found) < count:
        case = CASES[editor](number, "compound" if compound else list(OPEN)[number % len(OPEN)])
        if shortest <= len(case.words) <= longest and 0 < case.find_relevant_words().sum() < len(case.words):
            found.append((number, case))
        number += 1
    return found


class Bank:
    """One bundled editor with its settings, and the edits that it has made."""

    def __init__(self, name: str, sampler: str = "deterministic", path: Path = KEPT, **settings):
        self.name, self.sampler, self.settings = name, sampler, settings
        path.parent.mkdir(parents=True, exist_ok=True)
        self.store = sqlite3.connect(path, timeout=600)
        self.store.executescript(TABLES)

    @cached_property
    def editor(self):
        """The editor itself, loaded when there is something to edit."""
        import torch

        from smile.toyroad.training.evaluate import load_trained_editor

        torch.set_num_threads(1)
        torch.set_flush_denormal(True)  # this and the memory format: a third faster, at most one level of 255 apart
        editor = load_trained_editor(self.name, MODELS)
        models = editor.get_turbo() if hasattr(editor, "get_turbo") else editor.pipeline
        for model in (models.unet, models.vae):
            model.to(memory_format=torch.channels_last)
        if self.sampler == "ancestral":
            from diffusers import EulerAncestralDiscreteScheduler

            editor.pipeline.scheduler = EulerAncestralDiscreteScheduler.from_config(editor.pipeline.scheduler.config)
        return editor.with_settings(**self.settings) if self.settings else editor

    @cached_property
    def embedder(self):
        from smile import load_embedder

        return load_embedder(str(MODELS / "dinov2"))

    def make(self, case: Case, asked: list[tuple[str, int]]) -> None:
        """Make those of the edits (text, seed) that there are not yet; a batch may mix seeds."""
        asked = list(dict.fromkeys(asked))
        known = {key for key, *_ in self._rows("edit", "key", [self._key(case, *one) for one in asked])}
        new = [one for one in asked if self._key(case, *one) not in known]
        for start in range(0, len(new), BATCH):
            batch = new[start : start + BATCH]
            pictures = self._edited(case, batch)
            rows = [
                (
                    self._key(case, *one),
                    vector.astype(np.float32).tobytes(),
                    patches.astype(np.float16).tobytes(),
                    _png(picture),
                )
                for one, vector, patches, picture in zip(batch, *self.embedder.embed(pictures), pictures, strict=True)
            ]
            with self.store:
                self.store.executemany("insert or replace into edit values (?, ?, ?, ?)", rows)

    def has(self, case: Case, asked: list[tuple[str, int]]) -> bool:
        """Whether all of these edits are there already."""
        keys = {self._key(case, *one) for one in asked}
        return len(list(self._rows("edit", "key", list(keys)))) == len(keys)

    def embedded(self, case: Case, asked: list[tuple[str, int]]) -> tuple[np.ndarray, np.ndarray]:
        """(vectors (n, d), patches (n, p, d)) of the edits (text, seed), made where need be."""
        self.make(case, asked)
        keys = [self._key(case, *one) for one in asked]
        rows = {key: rest for key, *rest in self._rows("edit", "key, vector, patches", keys)}
        vectors = np.stack([np.frombuffer(rows[key][0], np.float32) for key in keys])
        patches = np.stack([np.frombuffer(rows[key][1], np.float16).reshape(-1, vectors.shape[1]) for key in keys])
        return vectors.astype(float), patches.astype(float)

    def pictures(self, case: Case, asked: list[tuple[str, int]]) -> list[Image.Image]:
        """The edits themselves."""
        self.make(case, asked)
        keys = [self._key(case, *one) for one in asked]
        rows = dict(self._rows("edit", "key, picture", keys))
        return [Image.open(io.BytesIO(rows[key])) for key in keys]

    def carries_out(self, case: Case, number: int, seed: int) -> bool:
        """Whether the edit of the full instruction is what was asked for (`smile.toyroad.cases.carried_out`)."""
        one = (case.instruction.text, seed)
        key = self._key(case, *one)
        if not (known := dict(self._rows("judged", "key, done", [key]))):
            known = {key: carried_out(self.pictures(case, [one])[0], case, np.random.default_rng((HELD_OUT, number, 2)))[0]}
            with self.store:
                self.store.execute("insert or replace into judged values (?, ?)", (key, int(known[key])))
        return bool(known[key])

    def _edited(self, case, batch):
        import torch

        picture = fit_picture(case.picture, self.editor.working_size)
        region = open_region(case.options["region"], picture.size) if case.options else None
        with torch.inference_mode():
            generators = [torch.Generator("cpu").manual_seed(seed) for _, seed in batch]
            return self.editor.edit_batch(self.editor.prepare_picture(picture, region), [text for text, _ in batch], generators)

    def _key(self, case, text, seed):
        region = b"" if case.region is None else case.region.tobytes()
        pixels = hashlib.sha256(case.picture.tobytes() + region).hexdigest()
        made_from = self.name, self.sampler, sorted(self.settings.items()), pixels, text, seed
        return hashlib.sha256(repr(made_from).encode()).hexdigest()

    def _rows(self, table, columns, keys):
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            yield from self.store.execute(f"select {columns} from {table} where key in ({marks})", part)


def _bytes(arrays, kind):
    return [array.astype(kind).tobytes() for array in arrays]


def _png(picture):
    file = io.BytesIO()
    picture.save(file, "png", compress_level=1)
    return file.getvalue()
