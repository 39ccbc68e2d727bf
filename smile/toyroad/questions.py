"""Questions about described road scenes, with the right answer to any of their words: "A red car waits. … What colour is
the car?" What a prompt means is read from the words that are left, whichever those are, so it is known of every word
whether it matters, and for which part of the answer.

Reading goes by neighbours once the `SKIPPED` words are taken out: a colour belongs to the thing named right after it, a
driver to "drives" and the vehicle right after. What cannot be read is answered by "I do not know."
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

VEHICLES = ("car", "bus", "truck", "van")
THINGS = (*VEHICLES, "house", "tree", "fence", "bench")
COLOURS = ("red", "blue", "green", "yellow", "white", "black")
NAMES = ("Anna", "Ben", "Clara", "David", "Emma", "Felix")
STATES: dict[str, dict[str, tuple[str, ...]]] = {  # what can be said of the whole scene: value, and the words for it
    "weather": {
        "raining": ("raining", "rain"),
        "snowing": ("snowing", "snow"),
        "foggy": ("foggy", "fog"),
        "sunny": ("sunny", "sun"),
    },
    "time": {value: (value,) for value in ("morning", "noon", "evening", "night")},
    "season": {value: (value,) for value in ("spring", "summer", "autumn", "winter")},
}
WORDS = {word: (state, value) for state, values in STATES.items() for value, words in values.items() for word in words}
SKIPPED = {"the", "a", "is", "by", "of", "does"}
UNKNOWN = "I do not know."
KINDS = ("plain", "several", "twice", "two", "chained")


def normalise_word(word: str) -> str:
    """The word as it is read: without punctuation, in small letters."""
    return word.strip(".,;:?!\"'()").lower().replace("color", "colour")


@dataclass(frozen=True)
class Ask:
    """One question that can be read: what about ("colour", "weather", …), of whom, and the position of its first word."""

    what: str
    whom: str = ""
    place: int = -1


@dataclass
class Reading:
    """What words say, and what they ask, in order. Of two statements about the same thing the first counts."""

    facts: dict[tuple[str, str], str] = field(default_factory=dict)
    asks: list[Ask] = field(default_factory=list)

    def answer(self, ask: Ask, before: str = "") -> str:
        """One sentence. `before`: the part of the answer that stands before, which says what "it" is."""
        whom = find_thing(before) if ask.whom == "it" else ask.whom
        value = self.facts.get((ask.what, whom))
        if value is None:
            return UNKNOWN
        if ask.what == "colour":
            return f"It is {value}." if ask.whom == "it" else f"The {whom} is {value}."
        if ask.what in STATES:
            return f"It is {value}."
        if ask.what in ("driver", "drives"):
            name, thing = (value, whom) if ask.what == "driver" else (whom, value)
            return f"{name.capitalize()} drives the {thing}."
        thing, place = (whom, value) if ask.what == "where" else (value, whom)
        return f"The {thing} stands by the {place}."

    def answer_all(self) -> list[str]:
        """The sentences of the whole answer, one for each question; `UNKNOWN` where nothing is asked."""
        parts: list[str] = []
        for ask in self.asks:
            parts.append(self.answer(ask, parts[-1] if parts else ""))
        return parts or [UNKNOWN]


def find_thing(sentence: str) -> str:
    """What "it" is after this sentence of an answer: what somebody drives, or what stands somewhere; "" if nothing."""
    words = [normalise_word(word) for word in sentence.split()]
    if "drives" in words:
        return words[-1]
    return words[1] if "stands" in words else ""


def read_words(words: Sequence[str], places: Sequence[int] | None = None) -> Reading:
    """What these words say and ask. `places`: their positions in the text that they are left of (default 0, 1, …)."""
    names = {name.lower() for name in NAMES}
    normal = [(normalise_word(word), i) for word, i in zip(words, places or range(len(words)), strict=True)]
    kept = [(word, i) for word, i in normal if word not in SKIPPED]
    said = [word for word, _ in kept] + ["", ""]
    reading = Reading()

    def note(what: str, whom: str, value: str) -> None:
        reading.facts.setdefault((what, whom), value)

    for n, (word, place) in enumerate(kept):
        before, after, second = said[n - 1] if n else "", said[n + 1], said[n + 2]
        if word in WORDS:
            state, value = WORDS[word]
            note(state, "", value)
        elif word in STATES:
            reading.asks.append(Ask(word, "", place))
        elif word in COLOURS and after in THINGS:
            note("colour", after, word)
        elif word == "colour" and after in (*THINGS, "it"):
            reading.asks.append(Ask("colour", after, place))
        elif word == "drives" and before in names and after in VEHICLES:
            note("driver", after, before)
            note("drives", before, after)
        elif word == "stands" and before in THINGS and after in THINGS:
            note("where", before, after)
            note("at", after, before)
        elif word == "who" and (second if after == "drives" else after) in VEHICLES:
            reading.asks.append(Ask("driver", second if after == "drives" else after, place))
        elif word == "where" and after in THINGS:
            reading.asks.append(Ask("where", after, place))
        elif word in names and after == "drive":
            reading.asks.append(Ask("drives", word, place))
        elif word == "what" and after == "stands" and second in THINGS:
            reading.asks.append(Ask("at", second, place))
    return reading


STATEMENTS: dict[str, tuple[str, ...]] = {
    "colour": ("There is a {value} {whom} here.", "I can see a {value} {whom}.", "A {value} {whom} is on the left.",
               "Look at the {value} {whom}.", "We pass a {value} {whom}.", "On this road is a {value} {whom}."),
    "weather": ("It is {value}.", "Outside it is {value} again.", "All day it was {value}."),
    "weather, noun": ("There is {value}.", "We can feel the {value}.", "All around is {value}."),
    "time": ("It is {value} now.", "This is a picture of the {value}.", "It was drawn in the {value}."),
    "season": ("It is {value}.", "Here we are in {value}.", "The hills show that it is {value}."),
    "driver": ("{value} drives the {whom}.", "Today {value} drives the {whom}.", "My friend {value} drives the {whom} again."),
    "where": ("The {whom} stands by the {value}.", "As always the {whom} stands by the {value}.",
              "Now the {whom} stands by the {value}."),
}  # fmt: skip
QUESTIONS: dict[str, tuple[str, ...]] = {
    "colour": ("What colour is the {whom}?", "Tell me the colour of the {whom}.", "Which color is the {whom}?",
               "What is the color of the {whom}?"),
    "weather": ("How is the weather?", "What is the weather like?", "Describe the weather."),
    "time": ("What time is it?", "Which time of day is it?", "Tell me the time."),
    "season": ("Which season is it?", "What season is this?", "Name the season."),
    "driver": ("Who drives the {whom}?", "Tell me who drives the {whom}."),
    "where": ("Where is the {whom}?", "Where does the {whom} stand?", "Tell me where the {whom} is."),
    "drives": ("What does {whom} drive?", "Tell me what {whom} does drive."),
    "at": ("What stands by the {whom}?", "Tell me what stands by the {whom}."),
}  # fmt: skip
THEN = ("And what colour is it?", "And which color is it?", "Also tell me the colour of it.")
NEUTRAL = (
    "Please read this with care.", "Here is a small picture.", "It was made last week.", "Thank you very much.",
    "The road is long and quiet.", "Some people walk along the road.", "This is only a drawing.", "Be brief, please.",
    "Answer in a short sentence.", "There are hills behind the road.", "We have been here before.", "Nothing moves.",
    "The picture hangs on my wall.", "I like it a lot.", "Just have a look.", "It is a nice place to be.",
    "My sister likes this road too.", "You can hear a bird.", "The air is fresh.", "Hello there.",
)  # fmt: skip


@dataclass(frozen=True)
class Prompt:
    """A prompt with its kind, its answer in parts, and what is known of its words.

    `essential`: the positions of the words that were put in because the answer needs them. `twice`: where a fact is said
    twice, the positions of the two statements' words that matter.
    """

    text: str
    kind: str
    parts: tuple[str, ...]
    essential: frozenset[int]
    twice: tuple[tuple[int, ...], ...] = ()

    @property
    def words(self) -> list[str]:
        return self.text.split()

    @property
    def answer(self) -> str:
        """The right answer to the whole prompt, a line for each question."""
        return "\n".join(self.parts)

    @property
    def edges(self) -> list[tuple[int, int]]:
        """Which part of the answer follows from which."""
        return [(0, 1)] if self.kind == "chained" else []

    def read(self, kept: Sequence[int]) -> Reading:
        """What is left of the prompt where only the words at these positions are kept."""
        words = self.words
        return read_words([words[i] for i in kept], kept)

    def find_part(self, kept: Sequence[int], part: int) -> str | None:
        """The right `part` of the answer where only these words are kept, and the parts before it are given as they are in
        the full answer; None where it is not asked for any more."""
        reading, full = self.read(kept), self.read(range(len(self.words)))
        if part == 0:
            return reading.answer_all()[0]
        asks = {ask.place: ask for ask in reading.asks}
        ask = asks.get(full.asks[part].place)
        return None if ask is None else reading.answer(ask, self.parts[part - 1])

    def find_part_alone(self, kept: Sequence[int]) -> str:
        """The right last part of the answer where only these words are kept and nothing is given before it."""
        reading = self.read(kept)
        return reading.answer(reading.asks[-1]) if reading.asks else UNKNOWN

    def label_parts(self) -> np.ndarray:
        """(parts, k) bool: whether a word matters for a part of the answer, given the parts before it.

        It does where leaving it out changes that part, or does so once one other word is left out as well, as where a
        fact is said twice.
        """
        k = len(self.words)
        labels = np.zeros((len(self.parts), k), bool)
        for part in range(len(self.parts)):
            find: Callable = lambda out, part=part: self.find_part([i for i in range(k) if i not in out], part)  # noqa: E731
            alone = [find({i}) for i in range(k)]
            whole = find(set())
            labels[part] = [said != whole for said in alone]
            for i, j in combinations(range(k), 2):
                both = find({i, j})
                labels[part, i] |= both != alone[j]
                labels[part, j] |= both != alone[i]
        return labels

    def label_words(self) -> np.ndarray:
        """(k,) bool: whether a word matters for any part of the answer."""
        return np.any(self.label_parts(), axis=0)


class _Scene:
    """A scene drawn at random: everything that could be said of it."""

    def __init__(self, rng: np.random.Generator):
        things = list(rng.permutation(THINGS))
        self.facts: dict[tuple[str, str], str] = {("colour", str(t)): _pick(rng, COLOURS) for t in THINGS}
        self.facts |= {(state, ""): _pick(rng, tuple(values)) for state, values in STATES.items()}
        names = rng.permutation(NAMES)
        self.facts |= {("driver", vehicle): str(name) for vehicle, name in zip(VEHICLES, names, strict=False)}
        self.facts |= {("where", str(a)): str(b) for a, b in zip(things[:4], things[4:], strict=True)}

    def find_fact(self, ask: Ask) -> tuple[str, str]:
        """Which fact answers a question."""
        if ask.what == "drives":
            return next(key for key, value in self.facts.items() if key[0] == "driver" and value == ask.whom)
        if ask.what == "at":
            return next(key for key, value in self.facts.items() if key[0] == "where" and value == ask.whom)
        return ask.what, ask.whom

    def draw_ask(self, rng: np.random.Generator, whats: Sequence[str]) -> Ask:
        what = _pick(rng, whats)
        of = {"driver": "driver", "drives": "driver", "where": "where", "at": "where"}.get(what, what)
        keys = [key for key in self.facts if key[0] == of]
        key = keys[rng.integers(len(keys))]
        return Ask(what, self.facts[key] if what in ("drives", "at") else key[1])

    def state(self, key: tuple[str, str], rng: np.random.Generator) -> str:
        """A sentence that states the fact."""
        what, whom = key
        value = self.facts[key]
        if what == "weather" and rng.random() < 0.5:
            return _pick(rng, STATEMENTS["weather, noun"]).format(value=STATES["weather"][value][1])
        return _pick(rng, STATEMENTS[what]).format(value=value, whom=whom)


def _pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


PLAIN, SEVERAL = ("colour", "weather", "time", "season"), ("driver", "where", "drives", "at")


def draw_prompt(rng: np.random.Generator, kind: str | None = None, words: tuple[int, int] = (11, 42)) -> Prompt:
    """A random prompt of one of the `KINDS` (a mixture if None) with about this many words.

    plain: one question that one or two words answer; several: one that three words answer; twice: the fact that answers
    the question is said twice; two: two questions, neither of which has to do with the other; chained: the second asks
    about what the first one's answer names. A sixth kind, "many", is for training: three to five questions like those of
    two, which say more about a scene than one does. Of each kind of fact (a colour, a driver, a place, the weather …) a prompt
    has one.
    """
    kind = kind or KINDS[rng.choice(len(KINDS), p=(0.25, 0.25, 0.15, 0.2, 0.15))]
    scene = _Scene(rng)
    if kind == "chained":
        asks = [scene.draw_ask(rng, ("drives", "at"))]
        key = scene.find_fact(asks[0])
        facts = [key, ("colour", key[1])]
    else:
        whats = {"plain": PLAIN, "several": SEVERAL}.get(kind, (*PLAIN, *SEVERAL))
        asks = [scene.draw_ask(rng, whats)]
        facts = [scene.find_fact(asks[0])]
        number = 2 if kind == "two" else int(rng.integers(3, 6)) if kind == "many" else 1
        while len(asks) < number:
            other = scene.draw_ask(rng, whats)
            if scene.find_fact(other)[0] not in {what for what, _ in facts}:
                asks.append(other)
                facts.append(scene.find_fact(other))
    needed = facts * (2 if kind == "twice" else 1)
    questions = [_pick(rng, QUESTIONS[ask.what]).format(whom=ask.whom) for ask in asks]
    questions += [_pick(rng, THEN)] if kind == "chained" else []
    sentences: list[tuple[str, tuple[str, str] | None]] = [(scene.state(key, rng), key) for key in needed]
    length = sum(len(text.split()) for text in [*questions, *(text for text, _ in sentences)])
    wanted = rng.integers(words[0], words[1] + 1)
    said = {what for what, _ in facts}  # of each kind of fact a prompt has one
    others = [key for key in scene.facts if key[0] not in said]
    while length < wanted:
        if rng.random() < 0.5 and others:
            key = others.pop(rng.integers(len(others)))
            others = [other for other in others if other[0] != key[0]]
            more: tuple[str, tuple[str, str] | None] = (scene.state(key, rng), None)
        else:
            more = (_pick(rng, NEUTRAL), None)
        if length + len(more[0].split()) > words[1]:
            break
        sentences.append(more)
        length += len(more[0].split())
    sentences = [sentences[i] for i in rng.permutation(len(sentences))]
    asked: list[tuple[str, tuple[str, str] | None]] = [(question, ("ask", "")) for question in questions]
    whole = asked + sentences if rng.random() < 0.15 else sentences + asked
    return _join(whole, kind, facts, rng)


def _join(sentences: list[tuple[str, tuple[str, str] | None]], kind: str, facts: list, rng: np.random.Generator) -> Prompt:
    text, essential, statements, count = "", set(), [], 0
    for sentence, key in sentences:
        words = sentence.split()
        able = {count + i for i, word in enumerate(words) if key and _is_key(normalise_word(word), words, i)}
        essential |= able
        if key in facts:
            statements.append(tuple(sorted(able)))
        text += ("" if not text else "\n" if rng.random() < 0.1 else " ") + sentence
        count += len(words)
    parts = tuple(read_words(text.split()).answer_all())
    return Prompt(text, kind, parts, frozenset(essential), tuple(statements) if kind == "twice" else ())


def _is_key(word: str, words: list[str], i: int) -> bool:
    """Whether a word of a statement or a question is one that it cannot do without."""
    names = {name.lower() for name in NAMES}
    keys = {*THINGS, *COLOURS, *WORDS, *STATES, *names, "colour", "who", "where", "drive", "stands"}
    following = normalise_word(words[i + 1]) if i + 1 < len(words) else ""
    if word == "it":  # "the colour of it", "what colour is it"
        return "colour" in map(normalise_word, words)
    if word == "drives":
        return "who" not in map(normalise_word, words)
    return word in keys or (word == "what" and following == "stands")


def draw_clean_prompt(rng: np.random.Generator, kind: str) -> Prompt:
    """A prompt of which exactly the essential words matter, for measurements: where a neutral word's absence makes a thing
    of one sentence follow a colour of another, another is drawn."""
    while True:
        prompt = draw_prompt(rng, kind)
        if set(np.flatnonzero(prompt.label_words())) == prompt.essential and UNKNOWN not in prompt.parts:
            return prompt
