"""The language models by name; none is bundled. Packages add theirs as `smile.models.registry` says."""

from smile.models.protocols import LanguageModel
from smile.models.registry import Registry

LANGUAGE_MODELS = Registry("smile.language_models", "language model", "write", {})


def load_language_model(name: str, weights: str = "auto", device: str | None = None) -> LanguageModel:
    """The language model called `name`, ready to use. Raises InputError where no installed package adds one of that name.

    `weights`: "auto", or what the package knows. `device`: a torch device; by default the model's own choice.
    """
    return LANGUAGE_MODELS.load(name, weights, device)
