"""The bundled language model, through the ordinary loader: right answers, and parts that follow from what they should."""

import json
import subprocess
import sys

import numpy as np
import pytest

from smile import load_language_model
from smile.models.protocols import check_prompts, score_checked, write_checked
from smile.paths import MODELS
from smile.toyroad.questions import draw_clean_prompt, draw_prompt

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(not (MODELS / "toyroad-language").is_dir(), reason="The bundled weights are not there."),
]


@pytest.fixture(scope="module")
def toyroad():
    return load_language_model("toyroad", device="cpu")


def test_it_is_small_and_says_what_it_is(toyroad):
    assert sum(path.stat().st_size for path in (MODELS / "toyroad-language").rglob("*")) <= 4e6
    assert (toyroad.name, toyroad.weights, toyroad.dtype) == ("toyroad", "bundled", "float32")
    assert toyroad.describe() == {"template": True, "before": "<|user|>", "after": "<|end|><|assistant|>"}
    check_prompts(toyroad, ["A prompt.", ""])


def test_it_answers_right(toyroad):
    from smile.toyroad.training.language import measure_answers

    found = measure_answers(toyroad, 60)
    assert found["whole"]["all"] >= 0.93 and found["half of the words"]["all"] >= 0.9, found


@pytest.mark.nightly
def test_it_answers_500_held_out_prompts_right(toyroad):
    from smile.toyroad.training.language import measure_answers

    found = measure_answers(toyroad, 500)
    assert found["whole"]["all"] >= 0.98 and found["half of the words"]["all"] >= 0.97, found


def test_any_text_has_an_answer_that_ends(toyroad):
    answers = write_checked(toyroad, ["", "hello", "日本 ### ???", "what " * 50], 0)
    assert all(answer and answer.ended for answer in answers)


def measure_second(toyroad, kind, count=12):
    """Mean log-probability of the second part, given the first one and given only that it is a second line."""
    rng, found = np.random.default_rng(11), []
    for _ in range(count):
        prompt = draw_clean_prompt(rng, kind)
        first, second = prompt.parts
        scores = score_checked(toyroad, [prompt.text] * 2, second, [f"{first}\n", "\n"])
        found.append(scores.mean(axis=1))
    return np.array(found).mean(axis=0)


def test_the_second_part_follows_from_the_first_where_it_is_chained_only(toyroad):
    given, alone = measure_second(toyroad, "chained")
    assert given > -0.3 and alone < given - 0.5
    given, alone = measure_second(toyroad, "two")
    assert given > -0.3 and alone > given - 0.2


@pytest.mark.process
def test_another_process_writes_and_scores_the_same(toyroad):
    prompt = draw_prompt(np.random.default_rng(5), "two").text
    code = (
        "import json, sys; from smile import load_language_model; model = load_language_model('toyroad', device='cpu');"
        "asked = [sys.argv[1]]; answer = model.write(asked, seed=0)[0];"
        "print(json.dumps([answer, model.score(asked, answer).tolist()]))"
    )
    done = subprocess.run([sys.executable, "-c", code, prompt], capture_output=True, text=True, check=True, timeout=240)
    answer = toyroad.write([prompt], seed=0)[0]
    assert json.loads(done.stdout) == [answer, toyroad.score([prompt], answer).tolist()]
