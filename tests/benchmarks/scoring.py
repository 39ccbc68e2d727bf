"""What scoring an answer costs: one pass for all its tokens, beside one pass for each token and beside writing answers.

`python tests/benchmarks/scoring.py` builds a model with SmolLM2-135M's dimensions and random weights, prints the table and
writes it to assets/docs/tables/scoring.md; with a folder or repository it measures that model and only prints. Ratios are
of processor seconds of this process, alternating in one run. `memory` measures the peak at 64 rows and Qwen3-0.6B's
dimensions and vocabulary in a process of its own. Nothing here is asserted.
"""

import argparse
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from chat_layouts import write_llama3, write_qwen3  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM  # noqa: E402

from smile import load_language_model  # noqa: E402
from smile.models.language_models.causal import CausalModel  # noqa: E402

TO = ROOT / "assets" / "docs" / "tables" / "scoring.md"
SMOLLM = {"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
          "num_key_value_heads": 3, "tie_word_embeddings": True}  # fmt: skip
QWEN = {"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16,
        "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": True}  # fmt: skip
WORDS = "the sun is near the road and the rain is on the way here again".split()


def build(model, write) -> CausalModel:
    """The model with the tokenizer of a tiny one."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = load_language_model(str(write(Path(folder) / "tiny"))).tokenizer
    return CausalModel(model.eval().requires_grad_(False), tokenizer, name="random", weights="random", device="cpu")


def build_smollm() -> CausalModel:
    torch.manual_seed(0)
    return build(LlamaForCausalLM(LlamaConfig(vocab_size=49_152, eos_token_id=2, **SMOLLM)), write_llama3)


def score_by_token(model: CausalModel, prompts: list[str], answer: list[int]) -> np.ndarray:
    """One forward pass for each prompt and token, nothing kept between them."""
    scores = np.zeros((len(prompts), len(answer)))
    for i, prompt in enumerate(prompts):
        row = list(model.read(prompt))
        for j, token in enumerate(answer):
            with torch.inference_mode():
                logits = model.model(torch.tensor([row]), use_cache=False).logits[0, -1].float()
            scores[i, j] = (logits[token] - logits.logsumexp(0)).item()
            row.append(token)
    return scores


def measure(model: CausalModel, rows: int, tokens: int) -> str:
    """The table of seconds and ratios."""
    rng = np.random.default_rng(0)
    prompts = [" ".join(np.array(WORDS)[rng.random(len(WORDS)) < 0.5]) + f" {i}" for i in range(rows)]
    model = model.with_settings(max_tokens=tokens)
    model.chat.ends.clear()  # so that every answer has as many tokens
    model.model.generation_config.eos_token_id = None
    answer = model.write(prompts[:1], seed=0)[0]
    made: dict[str, np.ndarray] = {}

    def score():
        made["pass"] = model.score(prompts, answer)

    def score_slowly():
        made["token"] = score_by_token(model, prompts, list(answer.ids))

    def time_one(what) -> float:
        began = time.process_time()
        what()
        return time.process_time() - began

    seconds: dict[str, list[float]] = {"one pass": [], "writing, in batches": [], "a pass for each token": []}
    for _ in range(2):
        seconds["one pass"].append(time_one(score))
        seconds["writing, in batches"].append(time_one(lambda: model.write(prompts, seed=0)))
    seconds["a pass for each token"].append(time_one(score_slowly))
    best = {name: min(each) for name, each in seconds.items()}
    lines = ["| how | processor seconds | beside one pass |", "|---|---|---|"]
    lines += [f"| {name} | {value:.1f} | {value / best['one pass']:.1f} |" for name, value in best.items()]
    apart = np.abs(made["pass"] - made["token"]).max()
    single = np.concatenate([model.score([prompt], answer) for prompt in prompts])
    told = f"Largest difference of a log-probability: {apart:.1e} nat to a pass for each token, "
    told += f"{np.abs(single - made['pass']).max():.1e} nat to one row at a time."
    return f"{rows} rows, answers of {tokens} tokens, {model.dtype}.\n\n" + "\n".join(lines) + f"\n\n{told}\n"


def measure_memory(rows: int = 64, tokens: int = 32) -> str:
    """The peak of this process before and after scoring, with Qwen3-0.6B's dimensions in float32."""
    torch.manual_seed(0)
    model = build(Qwen3ForCausalLM(Qwen3Config(vocab_size=151_936, eos_token_id=2, **QWEN)), write_qwen3)
    size = model.model.get_memory_footprint()
    prompts = [" ".join(WORDS * 3) + f" {i}" for i in range(rows)]
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    answer = "x" * (tokens - 1)
    assert model.score(prompts, answer).shape == (rows, tokens)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    more = peak - before
    return (
        f"{rows} rows of {len(model.read(prompts[0]))} tokens, answers of {tokens} tokens, vocabulary of 151,936, float32: the "
        f"model has {size / 1e9:.2f} GB, scoring adds {more / 1e9:.2f} GB at its peak: {(size + more) / size:.2f} times.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", help="a folder or repository; random weights by default; or “memory”")
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=32)
    options = parser.parse_args()
    if options.model == "memory":
        print(measure_memory())
        return
    if options.model:
        print(measure(load_language_model(options.model), options.rows, options.tokens))
        return
    text = (
        "# What scoring costs\n\nPrinted by `python tests/benchmarks/scoring.py`; SmolLM2-135M's dimensions, random weights, "
    )
    text += f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s), torch {torch.__version__}.\n\n"
    text += measure(build_smollm(), options.rows, options.tokens)
    done = subprocess.run([sys.executable, __file__, "memory"], capture_output=True, text=True, check=True)
    text += f"\n## Memory\n\n{done.stdout.strip()}\n"
    TO.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
