"""A language model learns from rewards and stays near what it was, in TRL's trainer; half a minute on a CPU.

    python examples/grpo_trl.py [--divergence js] [--beta 0.2] [--steps 30]

A small transformer is first trained on the text of the standard library, character by character. Then its answers are
rewarded for every vowel, and held near the first model by a penalty β D_f(policy‖reference), for any f of the
catalogue. Needs `pip install trl`.
"""

from __future__ import annotations

import argparse
import inspect
import json
import tempfile
import textwrap
import warnings
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl.trainer.grpo_config import GRPOConfig

import kullback as kb
from kullback.losses.trainers import PolicyTrainer

TEXT = inspect.getsource(textwrap) + inspect.getsource(json)
VOWELS = set("aeiou")


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a character."""
    words = ["<pad>", "<end>", "<unknown>", *sorted(set(TEXT))]
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unknown>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="<end>", unk_token="<unknown>"
    )


def base(words: PreTrainedTokenizerFast, steps: int) -> LlamaForCausalLM:
    """Two layers, trained on blocks of the text."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        bos_token_id=None,
        eos_token_id=words.convert_tokens_to_ids("<end>"),  # pyright: ignore[reportArgumentType]
        pad_token_id=words.convert_tokens_to_ids("<pad>"),  # pyright: ignore[reportArgumentType]
    )
    model = LlamaForCausalLM(config)
    ids = torch.tensor(words.convert_tokens_to_ids(list(TEXT.replace("\n", " "))))
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(steps):
        starts = torch.randint(0, len(ids) - 32, (16, 1))
        batch = ids[starts + torch.arange(32)]
        model(input_ids=batch, labels=batch).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return model


def share_of_vowels(completions: list[str], **_: object) -> list[float]:
    """The reward of every answer."""
    return [sum(c in VOWELS for c in said) / max(len(said), 1) for said in completions]


def trained(
    divergence: kb.FDivergence, folder: str, *, steps: int, beta: float = 0.2
) -> list[dict[str, Any]]:
    """The log of a run."""
    words = tokenizer()
    start = str(Path(folder) / "start")  # the trainer loads the policy and its reference from here
    base(words, 120).save_pretrained(start)
    trainer = PolicyTrainer(
        start,
        reward_funcs=share_of_vowels,
        divergence=divergence.normalised(),
        args=GRPOConfig(
            output_dir=folder,
            beta=beta,
            max_steps=steps,
            per_device_train_batch_size=32,
            num_generations=8,
            max_completion_length=16,
            learning_rate=1e-3,
            logging_steps=max(1, steps // 6),
            use_cpu=True,
            bf16=False,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            gradient_checkpointing=False,
        ),
        train_dataset=Dataset.from_list([{"prompt": c} for c in "abcdefghilmnoprst" * 8]),  # pyright: ignore[reportArgumentType]
        processing_class=words,
    )
    trainer.train()
    return [entry for entry in trainer.state.log_history if "divergence" in entry]


def main() -> None:
    """Train, and print how reward and divergence went."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--divergence", default="js")
    parser.add_argument("--beta", type=float, default=0.2)
    parser.add_argument("--steps", type=int, default=30)
    given = parser.parse_args()
    divergence = kb.catalogue().find(given.divergence)
    if not isinstance(divergence, kb.FDivergence):
        parser.error(f"{given.divergence} is not an f-divergence")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log = trained(divergence, folder, steps=given.steps, beta=given.beta)
    print(f"rewards under {given.beta:g} {divergence.name}, D(policy‖reference), scaled to f''(1) = 1")
    for entry in log:
        print(
            f"step {entry['step']:>4}  vowels {float(entry['reward']):.0%}  "
            f"divergence {float(entry['divergence']):.4f}  entropy {float(entry['entropy']):.2f}"
        )


if __name__ == "__main__":
    main()
