"""The toy editors' language: a byte-level BPE tokenizer and a CLIP text encoder that knows the grammar.

CLIP learned words from pictures and captions; here the text encoder learns the grammar itself (which attribute a text
sets to what), and the editors are trained on top of it with the encoder frozen.
"""

from __future__ import annotations

import json

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import nn
from transformers import CLIPTokenizer

from smile.toyroad.grammar import COLOURS, read_changes
from smile.toyroad.scene import VALUES, random_scene
from smile.toyroad.training.data import FILLERS, same_meaning, training_words
from smile.toyroad.training.loop import half_precision, train
from smile.toyroad.training.models import TOKENS

# What a text can ask of each attribute; index 0 is "nothing".
REQUESTS = {name: ("nothing", *values) for name, values in VALUES.items()}
REQUESTS["car"] = ("nothing", None, "any", *COLOURS, *(f"add {c}" for c in COLOURS))


def build_tokenizer(seed: int) -> CLIPTokenizer:
    """Byte-level BPE with CLIP's rules, merges learned from the grammar: any text has tokens, none is unknown."""
    rng = np.random.default_rng((seed, 3))
    texts = [" ".join(training_words(random_scene(rng), rng)) for _ in range(6000)] + FILLERS * 4
    clip = CLIPTokenizer().backend_tokenizer
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.normalizer, bpe.pre_tokenizer = clip.normalizer, clip.pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    ends = [a + "</w>" for a in alphabet]
    # Equally frequent pairs are merged in the order of their numbers. The trainer would number the letters at a word's
    # end as it meets them, in another order in each process; as special tokens they have their numbers before.
    trainer = trainers.BpeTrainer(
        vocab_size=1600, min_frequency=3, initial_alphabet=alphabet, special_tokens=ends, end_of_word_suffix="</w>",
        show_progress=False,
    )  # fmt: skip
    bpe.train_from_iterator(texts, trainer)
    merges = [tuple(m) for m in json.loads(bpe.to_str())["model"]["merges"]]
    pieces = [*alphabet, *ends, *("".join(m) for m in merges)]
    pieces = list(dict.fromkeys([*pieces, "<|startoftext|>", "<|endoftext|>"]))
    return CLIPTokenizer(vocab={p: i for i, p in enumerate(pieces)}, merges=merges, model_max_length=TOKENS)


def tokens(tokenizer, texts: list[str], length: int = TOKENS) -> torch.Tensor:
    """(n, length) token ids, padded as the diffusers pipelines pad them."""
    return tokenizer(texts, padding="max_length", max_length=length, truncation=True, return_tensors="pt").input_ids


class _Reader(nn.Module):
    """The text encoder with the read-outs it is trained through; only the encoder inside is kept."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        self.heads = nn.ModuleDict({a: nn.Linear(encoder.config.hidden_size, len(r)) for a, r in REQUESTS.items()})

    def forward(self, ids):
        return self.encoder(ids).last_hidden_state


def train_text_encoder(encoder, tokenizer, *, steps: int, seed: int, folder, device, batch: int = 48) -> float:
    """Read the request from every token after the end of the text, and give texts with the same meaning the same
    tokens there."""
    model = _Reader(encoder).to(device)

    def loss(step, rng):
        texts = [training_words(random_scene(rng), rng) for _ in range(batch)]
        pairs = texts + [same_meaning(t, rng) for t in texts]
        joined = [" ".join(t) for t in pairs]
        # Attention is causal, so fewer padding tokens give the same hidden states; the full length is practised too.
        longest = max(len(ids) for ids in tokenizer(joined).input_ids)
        ids = tokens(tokenizer, joined, TOKENS if step % 6 == 0 else min(TOKENS, longest + 4)).to(device)
        after = (ids == tokenizer.eos_token_id).float()  # the end and the padding: (2 batch, 77)
        with half_precision(device):
            hidden = model(ids)
            logits = {a: head(hidden) for a, head in model.heads.items()}
        hidden = hidden.float()
        total = 0.0
        for a, options in REQUESTS.items():
            wanted = torch.tensor([options.index(read_changes(t).get(a, "nothing")) for t in pairs], device=device)
            each = F.cross_entropy(logits[a].float().transpose(1, 2), wanted[:, None].expand(ids.shape), reduction="none")
            total = total + (each * after).sum() / after.sum()
        first, second = hidden[:batch], hidden[batch:]
        both = (after[:batch] * after[batch:])[..., None]
        drift = ((first - second).square() * both).sum() / both.sum() / hidden.shape[-1]
        return total + 0.3 * drift

    return train("text", model, loss, steps=steps, rate=1e-3, seed=seed, folder=folder)
