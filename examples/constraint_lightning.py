"""A language model learns to keep a promise under a divergence of your choice: by a plain loop, or by Lightning.

    python examples/constraint_lightning.py [--divergence js] [--steps 150] [--loop plain|lightning]

A small recurrent model is trained on lines of the standard library, character by character. The target is the same
model among the lines that have a colon: it can be evaluated, up to its constant, and not be drawn from. f-DPG lowers
D_f(policy‖target) from the policy's own lines. The objective is one function of tensors, so that the step is the same
in both loops. Needs torch, and `pip install lightning` for the second; half a minute on a CPU.
"""

from __future__ import annotations

import argparse
import copy
import inspect
import json
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

import kullback as kb
from kullback.losses import policy

LENGTH, BATCH, SEED = 20, 128, 0
TEXT = "".join(c for c in inspect.getsource(json) + inspect.getsource(argparse) if c not in "\n")
ALPHABET = sorted(set(TEXT))


class Writer(nn.Module):
    """Characters one after the other, from a recurrent state."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.start = len(ALPHABET)
        self.embedding = nn.Embedding(len(ALPHABET) + 1, width)
        self.cell = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, len(ALPHABET))

    def log_probs(self, lines: Tensor) -> Tensor:
        """Log-probabilities of whole lines (n, length), shape (n,)."""
        before = torch.cat([torch.full_like(lines[:, :1], self.start), lines[:, :-1]], 1)
        hidden, _ = self.cell(self.embedding(before))
        each = self.head(hidden).log_softmax(-1)
        return each.gather(-1, lines[..., None]).sum((1, 2))

    @torch.no_grad()
    def draw(self, n: int) -> Tensor:
        """Lines of the model, (n, length)."""
        last, state, line = torch.full((n, 1), self.start), None, []
        for _ in range(LENGTH):
            hidden, state = self.cell(self.embedding(last), state)
            last = torch.multinomial(self.head(hidden[:, -1]).softmax(-1), 1)
            line.append(last)
        return torch.cat(line, 1)


class Promise:
    """The step that both loops make: lines of the policy, their target, and f-DPG between the two."""

    def __init__(self, divergence: kb.FDivergence, base: Writer) -> None:
        self.divergence, self.base, self.partition = divergence, base, policy.Partition()

    def loss(self, writer: Writer) -> Tensor:
        """An estimate of D_f(policy‖target) whose gradient is that of the divergence."""
        lines = writer.draw(BATCH)
        mine = writer.log_probs(lines)
        with torch.no_grad():
            target = torch.where(kept(lines), self.base.log_probs(lines), -math.inf)
        self.partition.update(target=target, drawn_with=mine.detach())
        return policy.f_dpg(self.divergence, policy=mine, target=target, log_partition=self.partition.value)


def kept(lines: Tensor) -> Tensor:
    """Whether a line has a colon."""
    return (lines == ALPHABET.index(":")).any(1)


def pretrained(steps: int) -> Writer:
    """A model of the text."""
    torch.manual_seed(SEED)
    writer, ids = Writer(), torch.tensor([ALPHABET.index(c) for c in TEXT])
    optimiser = torch.optim.Adam(writer.parameters(), 3e-3)
    for _ in range(steps):
        starts = torch.randint(0, len(ids) - LENGTH, (BATCH, 1))
        optimiser.zero_grad()
        (-writer.log_probs(ids[starts + torch.arange(LENGTH)]).mean()).backward()
        optimiser.step()
    return writer


def plain(writer: Writer, promise: Promise, steps: int) -> None:
    """A loop of a few lines."""
    optimiser = torch.optim.Adam(writer.parameters(), 1e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        promise.loss(writer).backward()
        optimiser.step()


def by_lightning(writer: Writer, promise: Promise, steps: int) -> None:
    """The same step in Lightning, which takes the loop over."""
    from lightning.pytorch import LightningModule, Trainer

    class Keeper(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.writer = writer

        def training_step(self, _: object) -> Tensor:
            return promise.loss(self.writer)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.writer.parameters(), 1e-3)

        def train_dataloader(self) -> Iterator[int]:
            return iter(range(steps))  # the policy draws its own data

    trainer = Trainer(
        max_steps=steps,
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Keeper())


LOOPS = {"plain": plain, "lightning": by_lightning}


def main() -> None:
    """Train, and print how often the promise is kept and how far the policy went."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--divergence", default="js")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--loop", choices=LOOPS, default="plain")
    given = parser.parse_args()
    divergence = kb.catalogue().find(given.divergence)
    if not isinstance(divergence, kb.FDivergence):
        parser.error(f"{divergence} is no f-divergence")
    base = pretrained(300)
    writer = copy.deepcopy(base)
    LOOPS[given.loop](writer, Promise(divergence, base), given.steps)
    for name, model in (("before", base), ("after", writer)):
        lines = model.draw(1000)
        away = (model.log_probs(lines) - base.log_probs(lines)).mean().item()
        print(
            f"{name:7}{kept(lines).float().mean():6.1%} of lines have a colon, {away:.2f} nats from the base model"
        )


if __name__ == "__main__":
    main()
