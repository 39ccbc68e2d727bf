"""Tiny language models with random weights, saved as the published ones are: their configuration, tokenizer class, special
tokens, and chat templates that do what the published ones do."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    GemmaConfig,
    GemmaForCausalLM,
    GemmaTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Tokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
)

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "max_position_embeddings": 256}  # fmt: skip
BYTES = {letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
MERGES = [("Ġ", "t"), ("h", "e"), ("Ġt", "he")]
VOCABULARY = BYTES | {"Ġt": 256, "he": 257, "Ġthe": 258}

CHATML = (  # Qwen's and SmolLM's; {system} is what they insert where nobody gives a system message
    "{{% if messages[0].role != 'system' %}}{{{{ '{system}' }}}}{{% endif %}}"
    "{{% for m in messages %}}{{{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}}}{{% endfor %}}"
    "{{% if add_generation_prompt %}}{{{{ '<|im_start|>assistant\n' }}}}{after}{{% endif %}}"
)
SMOLLM = CHATML.format(system="<|im_start|>system\nYou are a helpful AI assistant named SmolLM<|im_end|>\n", after="")
QWEN3 = CHATML.format(
    system="",
    after="{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}{% endif %}",
)
LLAMA3 = (
    "{{ bos_token }}{% if date_string is not defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    "{{ '<|start_header_id|>system<|end_header_id|>\n\nToday Date: ' + date_string + '\n\n<|eot_id|>' }}"
    "{% for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content | trim + '<|eot_id|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' + m.content | trim }}"
    "{{ '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def _save(folder: Path, model, tokenizer, template=None, **generation) -> Path:
    if template:
        tokenizer.chat_template = template
    for name, value in generation.items():
        setattr(model.generation_config, name, value)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _chatml(folder: Path, template: str) -> Path:
    tokenizer = Qwen2Tokenizer(vocab=dict(VOCABULARY), merges=list(MERGES), eos_token="<|im_end|>", unk_token=None)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.add_tokens(["<think>", "</think>"])
    torch.manual_seed(1)
    config = Qwen3Config(vocab_size=len(tokenizer) + 5, head_dim=8, tie_word_embeddings=True, **SIZES)
    ends = tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    # As published: Qwen3 samples unless it is told not to.
    sampling = {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95}
    return _save(folder, Qwen3ForCausalLM(config), tokenizer, template, eos_token_id=ends, **sampling)


def write_qwen3(folder: Path) -> Path:
    """Thinks unless told not to; its own settings sample; a vocabulary larger than the tokenizer's."""
    return _chatml(folder, QWEN3)


def write_smollm(folder: Path) -> Path:
    """Inserts a system prompt of its own."""
    return _chatml(folder, SMOLLM)


def write_llama3(folder: Path) -> Path:
    """The tokenizer puts a beginning before everything, and so does the template; the template writes today's date; no
    padding token; three tokens that end an answer."""
    bpe = Tokenizer(models.BPE(vocab=dict(VOCABULARY), merges=list(MERGES)))
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>"]
    bpe.add_special_tokens(special)
    begin = bpe.token_to_id("<|begin_of_text|>")
    bpe.post_processor = processors.TemplateProcessing(
        single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", begin)]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<|begin_of_text|>", eos_token="<|eot_id|>")
    torch.manual_seed(2)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), bos_token_id=begin, eos_token_id=begin + 5, **SIZES))
    return _save(folder, model, tokenizer, LLAMA3, eos_token_id=[begin + 1, begin + 4, begin + 5], do_sample=True)


def write_gemma(folder: Path) -> Path:
    """No system role; an answer ends with a token of the template and not with the tokenizer's own end."""
    names = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"]
    vocabulary = {name: i for i, name in enumerate(names)}
    vocabulary |= {f"<0x{i:02X}>": 7 + i for i in range(256)} | {letter: 263 + i for i, letter in enumerate("▁adehinorstwy.?")}
    tokenizer = GemmaTokenizer(vocab=vocabulary, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<start_of_turn>", "<end_of_turn>"]})
    torch.manual_seed(3)
    model = GemmaForCausalLM(GemmaConfig(vocab_size=len(tokenizer), head_dim=8, pad_token_id=0, **SIZES))
    return _save(folder, model, tokenizer, GEMMA, eos_token_id=[1, 6])


def write_gpt2(folder: Path) -> Path:
    """No template, no padding token; what ends a text also begins one."""
    tokenizer = GPT2Tokenizer(vocab=VOCABULARY | {"<|endoftext|>": 259}, merges=list(MERGES))
    torch.manual_seed(4)
    config = GPT2Config(vocab_size=260, n_embd=32, n_layer=2, n_head=4, n_positions=256, bos_token_id=259, eos_token_id=259)
    return _save(folder, GPT2LMHeadModel(config), tokenizer)


WRITERS = {"qwen3": write_qwen3, "smollm": write_smollm, "llama3": write_llama3, "gemma": write_gemma, "gpt2": write_gpt2}
