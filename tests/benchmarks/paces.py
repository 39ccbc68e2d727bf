"""What an edit with its embedding costs, made as the published code makes it and as we do: processor seconds of one thread,
side by side in one run."""

import functools
import time

import torch
from benchmarks.bank import held_out

from smile import load_editor, load_embedder
from smile.io.images import fit_picture, open_region

ROUNDS = 3
TEXTS = 16


@functools.cache
def times_as_fast(name: str, **settings) -> float:
    """Seconds of the published way over ours: one call and one embedding for each text, against all texts in one call."""
    torch.set_num_threads(1)
    embedder, editor = load_embedder("bundled"), load_editor(name, "bundled").with_settings(**settings)
    case = held_out(name, 1)[0][1]
    picture = fit_picture(case.picture, editor.working_size)
    region = open_region(case.options["region"], picture.size) if case.options else None
    words = [*case.words, "now", "please", "here", "soon"]
    texts = [" ".join(words[:i] + words[j:]) for i in range(4) for j in range(i, len(words))][:TEXTS]

    def theirs():
        apart = load_editor(name, "bundled").with_settings(**settings)  # its pictures and texts are encoded anew each time
        began = time.process_time()
        for text in texts:
            embedder.embed([_called(apart, picture, region, text)])
        return time.process_time() - began

    def ours():
        fresh = load_editor(name, "bundled").with_settings(**settings)
        began = time.process_time()
        embedder.embed(fresh.edit(picture, texts, seed=0, **({} if region is None else {"region": region})))
        return time.process_time() - began

    spent = [(theirs(), ours()) for _ in range(ROUNDS + 1)][1:]
    return min(first for first, _ in spent) / min(second for _, second in spent)


def _called(editor, picture, region, text):
    """The pipeline, called as anybody calls it. The one-step editor has none of diffusers': ours, on nothing but this text."""
    if hasattr(editor, "get_turbo"):
        editor._prepared, editor._text_states = (None, None), {}
        return editor.edit(picture, [text], seed=0)[0]
    given = {"guidance_scale": editor.settings["guidance"], "num_inference_steps": editor.settings["steps"]}
    if "image_guidance" in editor.settings:
        given["image_guidance_scale"] = editor.settings["image_guidance"]
    if region is not None:
        given |= {"mask_image": region, "height": picture.height, "width": picture.width}
    return editor.pipeline(text, image=picture, generator=torch.Generator("cpu").manual_seed(0), **given).images[0]
