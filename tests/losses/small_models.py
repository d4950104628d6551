"""Language models of two layers, a few lines of text for them and their training, made on the spot."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import LlamaConfig, LlamaForCausalLM

from kullback.losses.signals import SignalReader
from kullback.losses.trainers import DistillArguments, DistillTrainer

CLASSES, TOKENS = 48, 24


def model(seed: int, width: int = 32, layers: int = 2, **changes: object) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    settings = {
        "vocab_size": CLASSES,
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "max_position_embeddings": 64,
        "initializer_range": 0.3,  # far from uniform, so that there is something to learn
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": 0,
    }
    return LlamaForCausalLM(LlamaConfig(**{**settings, **changes}))


class Rows(Dataset):
    """Blocks of standard-library text as characters; the later half of every third row does not count."""

    def __init__(self, count: int, *, ragged: bool = False, signal: bool = False) -> None:
        text = inspect.getsource(json)
        self.ids = torch.tensor([ord(c) % (CLASSES - 1) + 1 for c in text[: count * TOKENS]]).reshape(
            count, TOKENS
        )
        self.ragged, self.signal = ragged, signal

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, i: int) -> dict[str, object]:
        labels = self.ids[i].clone()
        if self.ragged and i % 3 == 0:
            labels[5 + i % 7 :] = -100
        return {"input_ids": self.ids[i], "labels": labels} | ({"signal": i} if self.signal else {})


@pytest.fixture
def one_thread() -> Iterator[None]:
    """The models are too small to be divided."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def arguments(folder: Path, **changes: Any) -> DistillArguments:
    settings = {
        "output_dir": str(folder),
        "use_cpu": True,
        "report_to": "none",
        "per_device_train_batch_size": 4,
        "learning_rate": 5e-3,
        "lr_scheduler_type": "constant",
        "max_steps": 4,
        "logging_steps": 2,
        "save_strategy": "no",
        "disable_tqdm": True,
        "max_grad_norm": 0.0,
    }
    return DistillArguments(**{**settings, **changes})


def trained(
    folder: Path, student: Any = None, teacher: Any = None, rows: Any = None, **changes: Any
) -> DistillTrainer:
    trainer = DistillTrainer(
        model(1) if student is None else student,
        model(2) if teacher is None else teacher,
        arguments(folder, **changes),
        train_dataset=Rows(24) if rows is None else rows,
        eval_dataset=Rows(6, ragged=True, signal=isinstance(teacher, SignalReader)),
    )
    trainer.train()
    return trainer


def weights(trainer: DistillTrainer) -> dict[str, Tensor]:
    return dict(trainer._student.model.state_dict())


def same(a: dict[str, Tensor], b: dict[str, Tensor], tolerance: float = 0.0) -> bool:
    return all(torch.allclose(a[name], b[name], rtol=tolerance, atol=tolerance) for name in a)


def logits_of(m: Any, rows: Rows) -> tuple[Tensor, Tensor]:
    batch = [rows[i] for i in range(len(rows))]
    ids, labels = (torch.stack([row[name] for row in batch]) for name in ("input_ids", "labels"))
    with torch.no_grad():
        return m(input_ids=ids).logits.double(), labels
