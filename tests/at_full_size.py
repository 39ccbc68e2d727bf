"""What one process does with published weights that it gets from the Hub at HF_ENDPOINT, and what it took; see
test_full_size.py. `python tests/at_full_size.py KIND NAME WEIGHTS` prints JSON.

On a CUDA device an edit has 512 x 512 pixels, in half precision; elsewhere 64 x 64.
"""

import json
import os
import resource
import sys

import numpy as np
from PIL import Image
from tiny import FakeEmbedder, picture

from smile import explain, load_editor, load_embedder, load_segmenter
from smile.models.editors import img2img_turbo

CHECKPOINT = f"{os.environ['HF_ENDPOINT']}/cmu/img2img-turbo/resolve/main/edge_to_image_loras.pkl"


def try_editor(name: str, weights: str) -> dict:
    img2img_turbo.PUBLISHED["edge_to_image"] = CHECKPOINT  # the authors' server
    settings = {} if name == "img2img-turbo" else {"steps": 1, "safety": weights == "full"}
    editor = load_editor(name, weights=weights, **settings)
    size = 512 if editor.device == "cuda" else 64

    def make(size: int):
        editor.working_size = size
        return picture((size, size)), {"region": Image.new("L", (size, size), 255)} if name == "inpaint" else {}

    given, more = make(size)
    texts = ["make it snow", "snow", ""]
    edits = editor.edit(given, texts, seed=0, **more)
    alone = editor.edit(given, texts[1:2], seed=0, **more)[0]
    given, more = make(64)
    explanation = explain(given, "make it snow", editor, embedder=FakeEmbedder(), edits=8, noise_seeds=1, **more)
    unet = editor.get_turbo().unet if name == "img2img-turbo" else editor.pipeline.unet
    return {
        "parameters": sum(p.numel() for p in unet.parameters()),
        "dtype": editor.dtype,
        "size": [edit.size for edit in edits] == [(size, size)] * 3,
        "contrast": min(float(np.asarray(edit).std()) for edit in edits),
        "apart": int(np.abs(np.asarray(edits[1], int) - np.asarray(alone)).max()),
        "width": editor.token_embeddings("snow").shape[1],
        "failed": explanation.failed,
        "finite": bool(np.isfinite(explanation.weights).all()),
        "seconds": explanation.seconds["total"],
    }


def try_embedder(name: str, weights: str) -> dict:
    vectors, patches = load_embedder(weights).embed([picture((64, 64))])
    return {"shapes": [vectors.shape, patches.shape], "finite": bool(np.isfinite(vectors).all() and np.isfinite(patches).all())}


def try_segmenter(name: str, weights: str) -> dict:
    return {"shape": load_segmenter(weights).compute_likelihood(picture((64, 48)), "the sky").shape}


if __name__ == "__main__":
    kind, name, weights = sys.argv[1:]
    found = {"editor": try_editor, "embedder": try_embedder, "segmenter": try_segmenter}[kind](name, weights)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps(found | {"peak": peak}))
