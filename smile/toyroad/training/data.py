"""Training texts: instructions with words dropped, and with words that mean nothing put in.

The explainer asks an editor for partial instructions. An editor that has never seen any answers them arbitrarily; here
the target of a partial instruction is drawn from what is left of it, so partial texts are in distribution.
"""

from __future__ import annotations

import numpy as np

from smile.toyroad.grammar import MEANINGFUL, random_instruction, read_changes
from smile.toyroad.scene import Scene

# Words that ask for nothing on Toy Road. Together with random letters they teach the editor to ignore what it does not know.
FILLERS = """about again all also always an animal any apple are art as away back be beautiful because big bird black
boat book boy bright brown but by cat city cloud cold come cool could dark dog door down draw drive early edit elephant
even every eye far fast few field find first fish flower from front full garden girl go good great hand happy have he
hello help high hill his home horse how if image into is it its keep kind lake large last late leave left light like
little long look man many maybe moon more mountain move much my near new nice no not nothing of off old on only open or
orange our out over park people person photo photograph picture pink place-holder plane play pretty purple quick quiet
quite really right river road rock room round same scene school sea see she side sky slow small so some soon star stay
still stone street style sun that them there these they thing this those tiny to today town train truck try two under up
us very view wall want warm was water way we well what when where which white who wide wild wind window with wood word
work world would yes you young your ### !!! ??? 123 42""".split()


def unknown_word(rng: np.random.Generator) -> str:
    if rng.random() < 0.7:
        return FILLERS[rng.integers(len(FILLERS))]
    letters = "abcdefghijklmnopqrstuvwxyz" if rng.random() < 0.8 else "äßçñé日本αβж0123456789#@%&"
    word = "".join(letters[i] for i in rng.integers(len(letters), size=rng.integers(2, 9)))
    return unknown_word(rng) if word in MEANINGFUL else word


def training_words(scene: Scene, rng: np.random.Generator) -> list[str]:
    """Words of an instruction for this scene: half of the time all, else a random subset; sometimes with fillers."""
    kind = ("single", "compound", "neutral")[rng.choice(3, p=(0.45, 0.45, 0.1))]
    words = random_instruction(scene, rng, kind).words
    if rng.random() < 0.5:
        kept = rng.random() if rng.random() < 0.5 else 0.5
        words = [w for w in words if rng.random() < kept]
    return add_fillers(words, rng) if rng.random() < 0.3 else words


def add_fillers(words: list[str], rng: np.random.Generator) -> list[str]:
    """One to three words that mean nothing, anywhere."""
    words, meaning = list(words), read_changes(words)
    for _ in range(rng.integers(1, 4)):
        words.insert(rng.integers(len(words) + 1), unknown_word(rng))
    assert read_changes(words) == meaning
    return words


def same_meaning(words: list[str], rng: np.random.Generator) -> list[str]:
    """Another text that asks for the same: words that carry no meaning left out, fillers put in."""
    meaning = read_changes(words)
    for i in reversed(range(len(words))):
        shorter = words[:i] + words[i + 1 :]
        if rng.random() < 0.5 and read_changes(shorter) == meaning:
            words = shorter
    return add_fillers(words, rng) if rng.random() < 0.5 else list(words)
