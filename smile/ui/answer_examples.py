"""Explained answers that were saved beforehand and are replayed at once, without any model."""

import functools
import json
from dataclasses import dataclass

from smile import AnswerExplanation, load
from smile.paths import EXAMPLES
from smile.report.answer_citation import write_answer_python
from smile.report.answer_payload import answer_payload

REPLAYED = "saved run"


@dataclass(frozen=True)
class AnswerExample:
    """One line of answers.json."""

    name: str
    title: str

    def open(self) -> AnswerExplanation:
        """The explanation."""
        return _read(self.name)

    def draw(self) -> dict:
        """What the browser draws."""
        explanation = self.open()
        return answer_payload(explanation, source=REPLAYED, python=write_answer_python(explanation))


@functools.cache
def list_answer_examples() -> tuple[AnswerExample, ...]:
    """All, in the page's order."""
    file = EXAMPLES / "answers.json"
    return tuple(AnswerExample(**line) for line in json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else ()


@functools.cache
def _read(name: str) -> AnswerExplanation:
    explanation = load(EXAMPLES / f"{name}.zip", refit=False)
    assert isinstance(explanation, AnswerExplanation), f"{name} is no explanation of an answer"
    explanation.believed = ()  # tests have checked what comes with the page
    return explanation
