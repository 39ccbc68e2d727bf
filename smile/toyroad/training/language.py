"""The toy language model: Llama's layout, a byte-level BPE tokenizer with a chat template, and how it is trained.

The explainer scores one answer after prompts with words left out, and a part of an answer with the parts before it left
out. The model has seen both: the right answer to what is left of a prompt; the right next part after a part that is given
as the whole prompt's answer has it; the right last part where nothing is given before it; and how a sentence goes on that
what is left of the prompt does not support.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from smile.toyroad.cases import HELD_OUT
from smile.toyroad.questions import (
    COLOURS,
    KINDS,
    NAMES,
    SKIPPED,
    STATES,
    THINGS,
    UNKNOWN,
    WORDS,
    Prompt,
    draw_prompt,
    normalise_word,
    read_words,
)
from smile.toyroad.training.data import FILLERS
from smile.toyroad.training.loop import train

PAD, END, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"
TEMPLATE = (
    "{%- for message in messages %}{% if message.role not in ('user', 'assistant') %}"
    "{{ raise_exception('There is no ' + message.role + ' role.') }}{% endif %}"
    "{{ '<|' + message.role + '|>' + message.content + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
VOCABULARY, POSITIONS = 560, 512
BATCH, PARTS = 64, 4  # examples of a step, and how many parts they are taken in
LONGEST = (18, 30, 42)  # words of a prompt, at most, by turns
SMOOTHING = 0.02  # of the labels: what the model rules out has one floor instead of any small number
KEYS = {*THINGS, *COLOURS, *WORDS, *STATES, *SKIPPED, *(name.lower() for name in NAMES),
        *"colour it who where what stands drive drives".split()}  # fmt: skip
STRANGE = [word for word in FILLERS if normalise_word(word) not in KEYS]


def build_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE with GPT-2's rules, merges learned from prompts and answers: any text has tokens, none is unknown."""
    rng = np.random.default_rng((seed, 5))
    prompts = [draw_prompt(rng) for _ in range(6000)]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, min_frequency=3, show_progress=False, special_tokens=[PAD, END, USER, ASSISTANT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )  # fmt: skip
    bpe.train_from_iterator([text for each in prompts for text in (each.text, each.answer, UNKNOWN)], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token=PAD, eos_token=END, additional_special_tokens=[USER, ASSISTANT],
        model_max_length=POSITIONS, padding_side="left", clean_up_tokenization_spaces=False,
    )  # fmt: skip
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Four layers of width 128 with four heads; input and output embeddings are one table."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=128, intermediate_size=352, num_hidden_layers=4, num_attention_heads=4,
            num_key_value_heads=4, max_position_embeddings=POSITIONS, tie_word_embeddings=True, rms_norm_eps=1e-5,
            bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip


def drop_words(prompt: Prompt, rng: np.random.Generator) -> list[int]:
    """The positions of the words that are kept: all, a random part of them, or all but one or two that matter."""
    k, how = len(prompt.words), rng.random()
    if how < (0.6 if prompt.kind == "many" else 0.35):
        return list(range(k))
    if how < 0.8:
        share = 0.8 * rng.random()
        return [i for i in range(k) if rng.random() >= share]
    able = np.array(sorted(prompt.essential))
    out = rng.choice(able, size=min(len(able), int(rng.integers(1, 3))), replace=False)
    return [i for i in range(k) if i not in out]


def join_kept(text: str, kept: list[int]) -> str:
    """The kept words of the text with the separators that stand before them."""
    pieces, start = [], 0
    for word in text.split():
        end = text.index(word, start) + len(word)
        pieces.append(text[start:end])
        start = end
    return "".join(pieces[i] for i in kept).lstrip()


def draw_example(prompt: Prompt, rng: np.random.Generator) -> tuple[str, str, str, bool]:
    """(prompt, given, target, whether the answer ends there): what the model is to write after what is given of the answer."""
    kept, how = drop_words(prompt, rng), rng.random()
    text, words = join_kept(prompt.text, kept), [prompt.words[i] for i in kept]
    reading = prompt.read(kept)
    if len(prompt.parts) > 1 and how < 0.2:
        at = int(rng.integers(1, len(prompt.parts)))
        following = prompt.find_part(kept, at)
        ends = following is None or at + 1 == len(prompt.parts)
        return text, "\n".join(prompt.parts[:at]), "" if following is None else "\n" + following, ends
    if len(prompt.parts) > 1 and how < 0.4:
        return text, "\n", prompt.find_part_alone(kept), True
    if how > 0.88:
        part = int(rng.integers(len(prompt.parts)))
        before, said = "".join(each + "\n" for each in prompt.parts[:part]), prompt.parts[part].split(" ")
        cut = int(rng.integers(1, len(said)))
        return text, before + " ".join(said[:cut]), " " + " ".join(said[cut:]), False
    if how > 0.8:  # words that mean nothing here
        words = list(words)
        for _ in range(rng.integers(1, 4)):
            words.insert(rng.integers(len(words) + 1), STRANGE[rng.integers(len(STRANGE))])
        text, reading = " ".join(words), read_words(words)
    return text, "", "\n".join(reading.answer_all()), True


def make_batch(tokenizer, examples: list[tuple[str, str, str, bool]]) -> tuple[torch.Tensor, torch.Tensor]:
    """(ids, labels), each (n, length), padded on the right; a label is -100 where nothing is learned."""
    before = [f"{USER}{text}{END}{ASSISTANT}{given}" for text, given, _, _ in examples]
    known = tokenizer(before, add_special_tokens=False).input_ids
    after = tokenizer([target for _, _, target, _ in examples], add_special_tokens=False).input_ids
    rows = [a + b + [tokenizer.eos_token_id] * e[3] for a, b, e in zip(known, after, examples, strict=True)]
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), tokenizer.pad_token_id)
    labels = torch.full((len(rows), longest), -100)
    for i, (row, start) in enumerate(zip(rows, map(len, known), strict=True)):
        ids[i, : len(row)] = torch.tensor(row)
        labels[i, start : len(row)] = torch.tensor(row[start:])
    return ids, labels


def train_language(model: LlamaForCausalLM, tokenizer, *, steps: int, seed: int, folder, device) -> float:
    """Cross-entropy of what is to be written, on fresh prompts in every step; short ones only in the first eighth.

    The examples of a step are taken apart by length, so that little is padded, and the parts by different workers.
    """
    model.to(device)
    workers, parameters = torch.get_num_threads(), list(model.parameters())
    torch.set_num_threads(1)  # each worker's: one wait for another a step, where matrices that are shared would have hundreds
    pool = ThreadPoolExecutor(workers)

    def differentiate(examples, count):
        """(its part of the mean, gradients of that) for some examples of a step in which `count` tokens are learned."""
        torch.set_num_threads(1)
        ids, labels = make_batch(tokenizer, examples)
        states = model.model(ids[:, :-1].to(device)).last_hidden_state
        learned = labels[:, 1:] != -100
        logits, wanted = model.lm_head(states[learned.to(device)]), labels[:, 1:][learned].to(device)
        part = F.cross_entropy(logits.float(), wanted, label_smoothing=SMOOTHING, reduction="sum") / count
        return part.detach(), torch.autograd.grad(part, parameters)

    def loss(step, rng):
        longest = [LONGEST[0] if step < steps // 8 else LONGEST[i % len(LONGEST)] for i in range(BATCH)]
        kinds = ["many" if i % 5 < 2 else None for i in range(BATCH)]
        prompts = [draw_prompt(rng, kind, (11, most)) for kind, most in zip(kinds, longest, strict=True)]
        examples = [draw_example(prompt, rng) for prompt in prompts]
        count = sum(len(tokenizer(target, add_special_tokens=False).input_ids) + ends for _, _, target, ends in examples)
        examples.sort(key=lambda example: sum(map(len, example[:3])))
        together = [examples[i : i + BATCH // PARTS] for i in range(0, BATCH, BATCH // PARTS)]
        parts = list(pool.map(lambda part: differentiate(part, count), reversed(together)))
        values, gradients = zip(*parts, strict=True)
        # A number with these gradients, for a loop that differentiates itself.
        slope = sum((p * sum(g)).sum() for p, g in zip(parameters, zip(*gradients, strict=True), strict=True))
        return sum(values) + slope - slope.detach()

    return train(
        "language", model, loss, steps=steps, rate=3e-3, seed=seed, folder=folder, decay=0.99, save_every=50, muon=True
    )


def measure_answers(model, prompts: int) -> dict:
    """The share of held-out prompts that are answered exactly right, in all and for each kind: whole prompts, and prompts
    with each word left out with probability 1/2."""
    rng = np.random.default_rng((HELD_OUT, 7))
    drawn = [draw_prompt(rng, KINDS[i % len(KINDS)]) for i in range(prompts)]
    found: dict = {"n": prompts}
    for name, share in (("whole", 0.0), ("half of the words", 0.5)):
        kept = [[i for i in range(len(each.words)) if rng.random() >= share] for each in drawn]
        asked = [join_kept(each.text, left) for each, left in zip(drawn, kept, strict=True)]
        right = ["\n".join(each.read(left).answer_all()) for each, left in zip(drawn, kept, strict=True)]
        good = np.array([a == b for a, b in zip(model.write(asked, seed=0), right, strict=True)])
        found[name] = {"all": float(good.mean())} | {kind: float(good[i :: len(KINDS)].mean()) for i, kind in enumerate(KINDS)}
    return found
