"""A loss for trainers that know nothing of teachers: it listens to what the student reads, and asks its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from kullback.errors import InvalidInputError
from kullback.losses.trainers.objective import Objective
from kullback.losses.trainers.reading import Reading


class TeacherLoss:
    r"""A `compute_loss_func` for the trainers of transformers and TRL: the divergence of a teacher from their model.

    $$(\text{outputs}, \text{labels}, n) \mapsto \frac1n \sum_i D(\text{teacher}_i \| \text{student}_i)$$

    Those trainers hand over the model's outputs and the labels, but not what the model has read. So it is made before
    the trainer, with the `student` that is to be trained, listens to its forward passes, and shows the same tokens to
    the `teacher`, without gradient, in the mode of evaluation and on the device of the student. `objective` says which
    divergence. The n of a step with accumulated gradients counts tokens, so its `per` must be `"token"`.

    Raises `InvalidInputError`. Source: [hinton2015].

    >>> class Model(nn.Module):
    ...     def __init__(self, *shares):
    ...         super().__init__()
    ...         self.row = nn.Parameter(torch.tensor(shares).log())
    ...     def forward(self, input_ids, use_cache=None):
    ...         return type("Outputs", (), {"logits": self.row.expand(*input_ids.shape, 2)})
    >>> student = Model(0.25, 0.75)
    >>> compute_loss_func = TeacherLoss(student, Model(0.5, 0.5))
    >>> tokens = torch.tensor([[0, 1, 1]])
    >>> round(compute_loss_func(student(input_ids=tokens), tokens).item(), 6)
    0.143841
    """

    def __init__(self, student: nn.Module, teacher: nn.Module, *, objective: Objective | None = None) -> None:
        self.objective = Objective() if objective is None else objective
        if self.objective.per != "token":
            raise InvalidInputError(
                f'`objective.per` is {self.objective.per!r}; these trainers count tokens: expected "token"'
            )
        self.teacher = teacher.eval()
        self._reading = Reading(teacher)
        self._heard: dict[str, Any] = {}
        student.register_forward_pre_hook(self._listen, with_kwargs=True)

    def _listen(self, _: nn.Module, __: object, kwargs: dict[str, Any]) -> None:
        self._heard = kwargs

    def __call__(
        self, outputs: Any, labels: Tensor, *, num_items_in_batch: float | Tensor | None = None
    ) -> Tensor:
        """The loss of the batch that the student has just read."""
        if "input_ids" not in self._heard:
            raise InvalidInputError(
                "the student has not read `input_ids` by name since this loss was made; make the loss with the model "
                "that the trainer trains, before its first step"
            )
        logits = outputs["logits"] if isinstance(outputs, dict) else outputs.logits
        with torch.no_grad():
            teacher = self._reading(self._heard, through=self.teacher.to(logits.device))
        return self.objective(logits, teacher, labels, denominator=num_items_in_batch)
