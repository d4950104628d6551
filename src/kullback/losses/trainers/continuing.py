"""Sequences of the student's own: what on-policy distillation trains on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kullback.errors import InvalidInputError
from kullback.losses.trainers.objective import IGNORED


def continued(
    student: Any, batch: dict[str, Tensor], *, prompt: int | None, temperature: float, pad: int
) -> dict[str, Tensor]:
    """The batch with the student's continuations in place of what followed the prompts, up to the same length.

    A row's prompt is its first `prompt` tokens or, without that number, what stands before its first label that counts.
    Labels of prompts and of what follows an end-of-sequence token do not count.
    """
    ids, labels = batch["input_ids"], batch["labels"]
    lengths = _prompts(ids, labels, prompt)
    longest = int(lengths.max())
    # prompts end at one column: the padding goes to the left
    place = torch.arange(longest, device=ids.device) - (longest - lengths)[:, None]
    shown = place >= 0
    prompts = torch.where(shown, ids.gather(1, place.clamp(min=0)), pad)
    was, _ = student.training, student.eval()
    try:
        with torch.no_grad():
            made = student.generate(
                input_ids=prompts,
                attention_mask=shown.long(),
                max_new_tokens=ids.shape[1] - longest,
                do_sample=True,
                temperature=temperature,
                top_k=0,
                top_p=1.0,
                pad_token_id=pad,
            )
    finally:
        student.train(was)
    counted = _until_end(made[:, longest:], student.generation_config.eos_token_id)
    answers = torch.where(counted, made[:, longest:], IGNORED)
    hidden = torch.full_like(prompts, IGNORED)
    return {
        "input_ids": made,
        "attention_mask": torch.cat([shown, counted], 1).long(),
        "labels": torch.cat([hidden, answers], 1),
    }


def _prompts(ids: Tensor, labels: Tensor, prompt: int | None) -> Tensor:
    tokens = ids.shape[1]
    if prompt is not None:
        lengths = torch.full((len(ids),), prompt, device=ids.device)
    else:
        counts = labels != IGNORED
        lengths = torch.where(counts.any(-1), counts.int().argmax(-1), tokens)
    if not bool(((lengths > 0) & (lengths < tokens)).all()):
        raise InvalidInputError(
            f"a sequence of {tokens} tokens has no prompt, or nothing but a prompt, for the student to continue; set "
            "`prompt_tokens` between the two, or mark prompts by labels of -100"
        )
    return lengths


def _until_end(made: Tensor, end: int | list[int] | None) -> Tensor:
    """True up to the first end-of-sequence token, that one included."""
    if end is None:
        return torch.ones_like(made, dtype=torch.bool)
    ends = torch.isin(made, torch.as_tensor(end, device=made.device))
    return ends.int().cumsum(-1) - ends.int() == 0
