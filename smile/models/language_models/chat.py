"""How a prompt becomes tokens: in the model's own chat template, as the one message of a user, or as it is where there is none.

The words of the template are never part of the prompt. What a template would take from the clock is fixed, and it is told
not to let the model think first, so that the same prompt is always the same tokens and the answer begins at once.
"""

import functools
from typing import Any

from smile.errors import InputError, shown

DATE = "26 Jul 2024"  # Llama 3's own default
CLOCK = f"{{%- macro strftime_now(format) -%}}{DATE}{{%- endmacro -%}}"  # in front of a template that would ask one
MARK = "ⵙⵎⵉⵍ"  # stands for a prompt, to see what the template puts around one
UNLIMITED = 2**20  # tokens; tokenizers without a limit say 1e30


class ChatFormat:
    """Prompts and answers as the tokens of one tokenizer. `ends`: ids of the tokens that end an answer."""

    def __init__(self, tokenizer: Any, ends: set[int]):
        self.tokenizer, self.ends = tokenizer, ends
        self.has_template = bool(getattr(tokenizer, "chat_template", None))
        self.template = str(tokenizer.get_chat_template()) if self.has_template else ""
        empty = list(tokenizer("").input_ids)
        beginning = getattr(tokenizer, "bos_token_id", None)
        if beginning is None or beginning not in empty:
            beginning = None if self.has_template else min(ends, default=0)
        self._beginning = [] if beginning is None else [beginning]
        rendered = self._render(MARK)
        if MARK not in rendered:
            raise InputError("The model's chat template leaves the user's message out, so nothing can be asked of it.")
        self.before, _, self.after = rendered.partition(MARK)
        self.end = self._find_end()
        self.encode_prompt = functools.lru_cache(maxsize=4096)(self._encode_prompt)

    def _render(self, prompt: str, answer: str | None = None) -> str:
        """The prompt in its template, as text; with an answer, the closed conversation."""
        if not self.has_template:
            return prompt
        messages = [{"role": "user", "content": prompt}]
        messages += [] if answer is None else [{"role": "assistant", "content": answer}]
        try:
            return self.tokenizer.apply_chat_template(
                messages,
                chat_template=CLOCK + self.template,
                tokenize=False,
                add_generation_prompt=answer is None,
                enable_thinking=False,
                date_string=DATE,
            )
        except Exception as error:  # a template is somebody's program
            raise InputError(f"The model's chat template cannot be used: {shown(error, 200).rstrip('.')}.") from error

    def _find_end(self) -> int:
        """The token that the template puts after an answer, where it ends answers, else the tokenizer's own."""
        own = self.tokenizer.eos_token_id
        if self.has_template:
            after = self._render(MARK, MARK).rpartition(MARK)[2]
            ids = self._encode(after)
            if ids and ids[0] in self.ends:
                return ids[0]
        return own if own is not None else min(self.ends, default=0)

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False).input_ids)

    def _encode_prompt(self, prompt: str) -> tuple[int, ...]:
        """All the tokens that the model reads before it writes; never none, the empty prompt's neither."""
        if not self.has_template:
            return (*self._beginning, *self._encode(prompt))
        return tuple(self._encode(self._render(prompt)))  # the template has written the beginning itself

    def encode_answer(self, answer: str, ended: bool) -> list[int]:
        """The tokens of an answer, or of a part of one, with the end token if it ended by itself: those that were written
        where the answer still knows them."""
        ids = list(getattr(answer, "ids", ())) or self._encode(answer) + [self.end] * ended
        if not ids:
            raise InputError("There is no answer to score: it has no tokens.")
        return ids

    def encode_given(self, text: str) -> list[int]:
        """The tokens of what stands before a part of an answer, which goes on after it."""
        return [token for token in self.encode_answer(text, False) if token not in self.ends]

    def decode_answer(self, ids: list[int]) -> str:
        """The text of tokens, without those that only mark something."""
        return self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def split_answer(self, ids: list[int]) -> list[str]:
        """The text that each token adds; where several make one letter, the last of them has it."""
        texts, done = [], ""
        for count in range(1, len(ids) + 1):
            so_far = self.decode_answer(ids[:count])
            whole = not so_far.endswith("\ufffd") or count == len(ids)
            texts.append(so_far[len(done) :] if whole and so_far.startswith(done) else "")
            done += texts[-1]
        return texts

    def find_marks(self, text: str) -> list[str]:
        """The tokens in a prompt that mean something to the template or the model, and so cannot be a user's words."""
        added = self.tokenizer.added_tokens_decoder.values()
        marks = [each.content for each in added if each.special or each.content in self.template]
        return [mark for mark in marks if mark.strip() and mark in text]

    def find_lost_words(self, prompt: str, limit: int) -> list[str]:
        """The words at the end of the prompt that `limit` tokens, those of the template included, do not hold."""
        words = prompt.split()
        if len(self._encode_prompt(prompt)) <= limit:
            return []
        fits, too_many = 0, len(words)
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            if len(self._encode_prompt(" ".join(words[:middle]))) <= limit:
                fits = middle
            else:
                too_many = middle
        return words[fits:]


def find_limit(model: Any, tokenizer: Any) -> int:
    """How many tokens the two can read and write together."""
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None) or UNLIMITED
    return min(positions, getattr(tokenizer, "model_max_length", None) or UNLIMITED, UNLIMITED)
