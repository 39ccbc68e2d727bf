"""Language models by rule, for the tests: answers are read from the prompt's words, and so is how likely an answer is."""

import hashlib
import re

import numpy as np

COLOURS = ("red", "blue", "green")


class RuleModel:
    """Says what colour the car has, where a colour and “car” stand in the prompt; “twice” facts are alternatives. With a second
    question, “weather”, it answers that too, in a second sentence."""

    name, weights, batch_size = "rules", "none", 7

    def __init__(self, noise=0.0, fail=()):
        self.noise, self.fail, self.asked = noise, set(fail), []

    def answer(self, prompt, seed=0):
        words = re.findall(r"\w+", prompt.lower())
        colour = next((word for word in words if word in COLOURS), None)
        said = f"The car is {colour}." if colour and "car" in words else "I do not know the colour."
        if "weather" in words:
            said += " It is wet outside." if "rain" in words or "rainy" in words else " I see no clouds."
        return said

    def write(self, prompts, *, seed):
        self.asked.append((seed, list(prompts)))
        return [None if prompt in self.fail else self.answer(prompt, seed) for prompt in prompts]

    def split(self, answer):
        return [*re.findall(r"\s*\S+", answer), ""]

    def score(self, prompts, answer, *, given=None):
        given = given or [None] * len(prompts)
        return np.array([self.log_probs(p, answer, g) for p, g in zip(prompts, given, strict=True)])

    def log_probs(self, prompt, answer, given):
        own = [sentence.split() for sentence in re.split(r"(?<=\.) ", self.continuation(prompt, given))]
        match = []  # word by word within each sentence: whoever is given a sentence goes on with the next
        for number, sentence in enumerate(re.split(r"(?<=\.) ", answer.strip())):
            mine = own[number] if number < len(own) else []
            match += [i < len(mine) and mine[i] == word for i, word in enumerate(sentence.split())]
        match.append(len(own) == number + 1)
        digest = hashlib.blake2b(repr((prompt, given)).encode(), digest_size=8).digest()
        noise = np.random.default_rng(int.from_bytes(digest, "big")).normal(0, self.noise, len(match))
        return np.minimum(np.where(match, np.log(0.95), np.log(0.1)) + noise, -1e-6)

    def continuation(self, prompt, given):
        whole = self.answer(prompt)
        return whole if not given else " ".join(re.split(r"(?<=\.) ", whole)[given.count(".") :])


class WritingModel:
    """The same without probabilities."""

    name = "writer"

    def __init__(self, fail=()):
        self.rules = RuleModel(fail=fail)

    def write(self, prompts, *, seed):
        return self.rules.write(prompts, seed=seed)


class DeafModel:
    """Ignores its prompt: what it writes is drawn anew for each."""

    name = "deaf"

    def write(self, prompts, *, seed):
        return [" ".join(self.draw(prompt, seed).choice(list("abcdefghij"), 6)) + "." for prompt in prompts]

    def draw(self, prompt, seed):
        digest = hashlib.blake2b(f"{seed} {prompt}".encode(), digest_size=8).digest()
        return np.random.default_rng(int.from_bytes(digest, "big"))
