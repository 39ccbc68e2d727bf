"""The Python lines that make an explanation of an answer again, and the query of the page's address that asks for it."""

from typing import Any
from urllib.parse import urlencode

from smile.method import prompts
from smile.options import DEFAULTS, count_permutations
from smile.report.protocols import AnswerLike

LEFT_OUT = ("reference", "distance", "sigma", "locality", "permutations", "alone")
LONGEST = 600  # letters of a prompt in an address


def write_answer_python(explanation: AnswerLike) -> str:
    """The Python lines that make the same explanation, all of it where this one was stopped."""
    e, of = explanation, explanation.settings
    model = of.get("language_model")
    settings = {
        name: value
        for name, value in (of.get("language_model_settings") or {}).items()
        if name in ("temperature", "max_tokens")
    }
    load = ", ".join([repr(model), *(f"{name}={value!r}" for name, value in settings.items())])
    arguments = [repr(e.instruction), "model", *(f"{name}={value!r}" for name, value in list_answer_options(e).items())]
    body = "".join(f"    {argument},\n" for argument in arguments)
    return (
        "from smile import explain_answer, load_language_model\n\n"
        f"model = load_language_model({load})\nexplanation = explain_answer(\n{body})\nprint(explanation.finding)\n"
    )


def list_answer_options(explanation: AnswerLike) -> dict[str, Any]:
    """The arguments of `explain_answer` that make this explanation: number of prompts, seed, and what differs from the
    defaults."""
    of = explanation.settings
    options: dict[str, Any] = {name: of[name] for name in ("edits", "seed")}
    preset = of["preset"] is not None
    names = [name for name in DEFAULTS if name not in (*options, *LEFT_OUT)]
    usual = DEFAULTS | ({} if preset else {"design": "sparse"})
    for name in names:
        given, default = (tuple(value) if isinstance(value, list) else value for value in (of[name], usual[name]))
        if given != default and not (preset and name in ("design", "surrogate")):
            options[name] = of[name]
    if explanation.log_probs is None and not preset:
        options |= {"distance": of["distance"]}
    if of["permutations"] != count_permutations(len(explanation.words)):
        options |= {"permutations": of["permutations"]}
    own = {"units": prompts.UNITS[0], "within": None, "segments": prompts.SEGMENTS[0]}
    options |= {name: of[name] for name, usual in own.items() if of[name] != usual and of[name] != "whole"}
    if of["noise_seeds"] == len(explanation.noise_answers) == 1:  # one other seed was enough
        options.pop("noise_seeds", None)
    return options


def write_answer_query(explanation: AnswerLike) -> str:
    """The query of the page's address that fills in this run; "" for a prompt that is too long for one."""
    of = explanation.settings
    if len(explanation.instruction) > LONGEST:
        return ""
    return urlencode({"prompt": explanation.instruction, "model": of["language_model"], "seed": of["seed"]})
