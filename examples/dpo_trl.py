"""A language model learns a preference under a divergence of your choice, in TRL's trainer; half a minute on a CPU.

    python examples/dpo_trl.py [--divergence js] [--steps 60] [--pairs 128]

A small transformer is first trained on the text of the standard library, character by character. Then it learns to
prefer lines that are indented less, and must stay near what it was: by D_f(policy‖reference), for any f of the
catalogue whose slope can be a reward. Needs `pip install trl`.
"""

from __future__ import annotations

import argparse
import copy
import inspect
import json
import tempfile
import textwrap
import warnings
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl.trainer.dpo_config import DPOConfig

import kullback as kb
from kullback.losses.trainers import PreferenceTrainer

LINE = 24
TEXT = inspect.getsource(textwrap) + inspect.getsource(json) + inspect.getsource(argparse)


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
        max_position_embeddings=96,
        bos_token_id=None,
        eos_token_id=words.convert_tokens_to_ids("<end>"),  # pyright: ignore[reportArgumentType]
        pad_token_id=words.convert_tokens_to_ids("<pad>"),  # pyright: ignore[reportArgumentType]
    )
    model = LlamaForCausalLM(config)
    ids = torch.tensor(words.convert_tokens_to_ids(list(TEXT.replace("\n", " "))))
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(steps):
        starts = torch.randint(0, len(ids) - 48, (16, 1))
        batch = ids[starts + torch.arange(48)]
        model(input_ids=batch, labels=batch).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return model


def preferences(pairs: int) -> Dataset:
    """Lines that begin at the margin are preferred to lines that are indented."""
    lines = [line[:LINE] for line in TEXT.splitlines() if len(line.strip()) > 8]
    flush = [line for line in lines if line[0] != " "]
    indented = [line for line in lines if line[:8] == " " * 8]
    rows = [
        {"prompt": "# ", "chosen": flush[i % len(flush)], "rejected": indented[i % len(indented)]}
        for i in range(pairs)
    ]
    return Dataset.from_list(rows)


def trained(divergence: kb.FDivergence, folder: str, *, steps: int, pairs: int) -> list[dict[str, Any]]:
    """The log of a run."""
    words = tokenizer()
    model = base(words, 5 * steps)
    trainer = PreferenceTrainer(
        model,
        ref_model=copy.deepcopy(model),
        divergence=divergence.normalised(),
        args=DPOConfig(
            output_dir=folder,
            beta=0.1,
            max_steps=steps,
            per_device_train_batch_size=8,
            learning_rate=2e-4,
            logging_steps=max(1, steps // 6),
            use_cpu=True,
            bf16=False,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            gradient_checkpointing=False,
        ),
        train_dataset=preferences(pairs),  # pyright: ignore[reportArgumentType]
        processing_class=words,
    )
    trainer.train()
    return [entry for entry in trainer.state.log_history if "rewards/margins" in entry]


def main() -> None:
    """Train, and print how loss and margin went."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--divergence", default="js")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--pairs", type=int, default=128)
    given = parser.parse_args()
    divergence = kb.catalogue().find(given.divergence)
    if not isinstance(divergence, kb.FDivergence):
        parser.error(f"{given.divergence} is not an f-divergence")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log = trained(divergence, folder, steps=given.steps, pairs=given.pairs)
    print(f"preferences under {divergence.name}, D(policy‖reference)")
    for entry in log:
        print(
            f"step {entry['step']:>4}  loss {float(entry['loss']):.4f}  margin {float(entry['rewards/margins']):.3f}  "
            f"right {float(entry['rewards/accuracies']):.0%}"
        )


if __name__ == "__main__":
    main()
