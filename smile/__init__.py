"""SMILE: which words of an edit instruction did it?

An image editor is a black box: picture and instruction in, picture out. This package edits the picture again with words
left out, measures how far each result moves, and fits a small linear model that says what each word did, where in the
picture it did it, and how far to believe that. Importing it loads neither torch nor gradio.
"""

from smile.ask import explain_answer, explain_answer_stream
from smile.errors import InputError
from smile.evaluation.model_check import check_against_model
from smile.explain import explain, explain_stream
from smile.explanation import AnswerExplanation, Explanation, load
from smile.models.editors import load_editor
from smile.models.embedders import load_embedder
from smile.models.language_models import load_language_model
from smile.models.segmenter import load_segmenter

__version__ = "0.1.0"
__all__ = [
    "AnswerExplanation",
    "Explanation",
    "InputError",
    "check_against_model",
    "explain",
    "explain_answer",
    "explain_answer_stream",
    "explain_stream",
    "load",
    "load_editor",
    "load_embedder",
    "load_language_model",
    "load_segmenter",
]
