"""Distillation on the trainer of transformers: its arguments, checkpoints, logs and processes, with a teacher."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import torch
from accelerate.utils import DistributedType
from torch import Tensor, nn
from transformers import Trainer, TrainerCallback, TrainingArguments

from kullback.errors import InvalidInputError
from kullback.losses.engines.chunks import Engine
from kullback.losses.signals import SignalReader, padded
from kullback.losses.token import Per
from kullback.losses.trainers.continuing import continued
from kullback.losses.trainers.objective import IGNORED, Measures, Objective, Side, divergence_named
from kullback.losses.trainers.reading import Reading
from kullback.losses.vocabulary import aligned

_WHOLE = (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU)  # weights in one piece


@dataclass
class DistillArguments(TrainingArguments):
    r"""The arguments of transformers' `TrainingArguments`, and what there is to say about distilling.

    $$D(\mathrm{softmax}(t / T) \,\|\, \mathrm{softmax}(s / T))$$

    `loss` is a divergence by its name in the catalogue, teacher first: `"kl"` is $\mathrm{KL}(\text{teacher} \|
    \text{student})$, `"kl.dual"` the other direction; `"js"`, `"skew_js:0.1"`, `"alpha:0.5"` are others. `temperature`
    is T, `squared_temperature` multiplies by T², `per` says what is averaged, as in `kb.loss`. `memory` bounds the
    bytes of the logits that exist at a time. A batch is continued by the student itself with probability `on_policy`,
    from its first `prompt_tokens` tokens (without that number, from what stands before its first label that counts),
    sampled at `sampling_temperature`. `padded_vocabulary` says that one tokenizer's logits were padded to different
    sizes, and gives the missing classes no mass (`kullback.losses.aligned`). Raises `InvalidInputError`.
    Source: [agarwal2024].

    >>> DistillArguments(output_dir="student", loss="kl.dual", use_cpu=True).loss
    'kl.dual'
    """

    loss: str = "kl"
    temperature: float = 1.0
    squared_temperature: bool = False
    per: str = "token"
    memory: int | None = None
    on_policy: float = 0.0
    prompt_tokens: int | None = None
    sampling_temperature: float = 1.0
    padded_vocabulary: bool = False
    remove_unused_columns: bool = False  # `signal` is no argument of the student

    def __post_init__(self) -> None:
        divergence_named(self.loss)
        if self.per not in get_args(Per):
            raise InvalidInputError(
                f"`per` is {self.per!r}; expected one of {', '.join(map(repr, get_args(Per)))}"
            )
        if not 0 <= self.on_policy <= 1:
            raise InvalidInputError(f"`on_policy` is {self.on_policy!r}; expected a probability")
        for name in ("temperature", "sampling_temperature"):
            if not 0 < getattr(self, name) < float("inf"):
                raise InvalidInputError(
                    f"`{name}` is {getattr(self, name)!r}; expected a finite number above 0"
                )
        super().__post_init__()

    @property
    def objective(self) -> Objective:
        """What the loss, the temperature and the averages amount to."""
        per: Any = self.per
        return Objective(
            divergence_named(self.loss), self.temperature, self.squared_temperature, per, Engine(self.memory)
        )


class DistillTrainer(Trainer):
    r"""transformers' `Trainer` for a student with a teacher, offline or on-policy.

    $$\frac{1}{n} \sum_i D(\text{teacher}_i \| \text{student}_i)$$

    over the n tokens of all batches of a step whose gradients accumulate, on all processes. Examples have `input_ids`,
    `labels` (−100 where a token does not count) and, if they like, `attention_mask`. The teacher is a causal language
    model, which is put on the student's device and into the mode of evaluation and is never trained or saved; or a
    `SignalReader`, and then every example also has `signal`, the number of its sequence there. Where a model's last
    linear map is found and gives the model's own logits, they are never all in memory; `head` says so.

    Whatever `Trainer` does it does: checkpoints resume where they stopped, sampling included. Its logs have besides
    `loss` the KL divergences of both directions, the rate of acceptance in speculative decoding, for recorded teachers
    the mass that they know (all of the step that ends at the log), and tokens per second; evaluations have the same.
    Raises `InvalidInputError`. Source: [hinton2015], [agarwal2024], [zhou2024].

    >>> from transformers import GPT2Config, GPT2LMHeadModel
    >>> made = [GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=8, n_head=1, vocab_size=5, n_positions=4)) for _ in "ab"]
    >>> rows = [{"input_ids": torch.tensor([1, 2, 3]), "labels": torch.tensor([1, 2, 3])}]
    >>> arguments = DistillArguments(output_dir="student", use_cpu=True, report_to="none")
    >>> trainer = DistillTrainer(made[0], made[0], arguments, eval_dataset=rows)
    >>> trainer.evaluate()["eval_kl_teacher_student"]  # a student that is its own teacher
    0.0
    """

    loss_is_scaled_for_ga = True  # `compute_loss` divides by what all batches of a step count

    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module | SignalReader,
        args: DistillArguments,
        *,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        data_collator: Callable[[list[Any]], dict[str, Any]] | None = None,
        processing_class: Any = None,
        callbacks: Sequence[TrainerCallback] = (),
        optimizers: tuple[Any, Any] = (None, None),
    ) -> None:
        _check(args, teacher)
        super().__init__(
            model=student,
            args=args,
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            data_collator=data_collator,
            processing_class=processing_class,
            callbacks=list(callbacks),
            optimizers=optimizers,
        )
        self._arguments, self.objective = args, args.objective
        # a head's weight is read outside the forward pass, where sharded models do not have it in one piece
        sharded = self.accelerator.distributed_type not in _WHOLE
        self._student = Reading(student, logits=sharded)
        self.teacher, self._teacher = teacher, None
        if not isinstance(teacher, SignalReader):
            self._teacher = Reading(teacher.to(args.device).eval())
        self._logged, self._evaluated = Measures(), Measures()
        self._losses: list[tuple[Tensor, Tensor]] = []  # of the evaluation: sums and what to divide by
        self._tokens, self._since = 0, time.perf_counter()

    @property
    def head(self) -> bool:
        """Whether the student's logits are made a few rows at a time."""
        return self._student.head

    def get_batch_samples(self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device) -> Any:
        """The batches of one step, continued by the student where the coin says so, and what their sum is over."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        # numbers of this step alone: they are the same after a resumption
        coins = np.random.default_rng((self.args.seed, self.state.global_step))
        own = coins.random(len(batches)) < self._arguments.on_policy
        batches = [
            self._continued(batch, i) if mine else batch
            for i, (batch, mine) in enumerate(zip(batches, own, strict=True))
        ]
        if not batches:
            return batches, None
        count = torch.stack([self.objective.count(b["labels"]) for b in batches]).sum().to(device)
        self._tokens += int(sum((b["labels"][:, 1:] != IGNORED).sum() for b in batches))
        if self._scale > 1:
            count = self._summed(count)
        return batches, count

    def _continued(self, batch: dict[str, Any], i: int) -> dict[str, Any]:
        args, student = self._arguments, self._student.model
        moved = {name: batch[name].to(args.device) for name in ("input_ids", "labels")}
        pads = (self.processing_class, student.config, student.generation_config)
        known = (getattr(x, name, None) for x in pads for name in ("pad_token_id", "eos_token_id"))
        pad = next((x for x in known if isinstance(x, int)), 0)
        place = (args.seed, self.state.global_step, i, args.process_index)
        with torch.random.fork_rng([args.device] if args.device.type == "cuda" else []):
            torch.manual_seed(int(np.random.default_rng(place).integers(2**62)))
            return continued(
                student, moved, prompt=args.prompt_tokens, temperature=args.sampling_temperature, pad=pad
            )

    @property
    def _scale(self) -> int:
        """The processes that gradients are averaged over, where one number of tokens is to hold for all."""
        return self.args.world_size if self.args.average_tokens_across_devices else 1

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        *,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | None = None,
    ) -> Any:
        """The divergence of one batch, over `num_items_in_batch` or what the batch itself counts."""
        labels, training = inputs["labels"], model.training
        student, teacher = self._student(inputs, through=model), self._said(inputs)
        if self._arguments.padded_vocabulary:
            student, teacher = aligned(student, teacher)
        loss = self.objective(student, teacher, labels, denominator=num_items_in_batch)
        every = self.state.logging_steps
        if not training:
            self._evaluated.add(student, teacher, labels)
            count = self.objective.count(labels)
            self._losses.append((loss.detach() * count, count))
        elif every and (self.state.global_step + 1) % every == 0:
            self._logged.add(student, teacher, labels)
        loss = loss if num_items_in_batch is None else loss * self._scale
        return (loss, {"loss": loss}) if return_outputs else loss

    def _said(self, inputs: dict[str, Any]) -> Side:
        if self._teacher is not None:
            with torch.no_grad():
                return self._teacher(inputs)
        return recorded(self.teacher, inputs)

    def prediction_step(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        prediction_loss_only: bool,  # noqa: ARG002  (the base class's signature)
        *,
        ignore_keys: list[str] | None = None,  # noqa: ARG002
    ) -> tuple[Tensor, None, None]:
        """The loss of one batch of an evaluation, whose logits nobody keeps."""
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad():
            return self.compute_loss(model, inputs), None, None

    def evaluation_loop(
        self,
        dataloader: Any,
        description: str,
        *,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> Any:
        """As in `Trainer`, over what counts and not over batches, with the measures."""
        self._losses, self._evaluated = [], Measures()
        output: Any = super().evaluation_loop(
            dataloader, description, prediction_loss_only, ignore_keys, metric_key_prefix
        )
        columns = zip(*self._losses, strict=True)
        total, count = (self._summed(torch.stack([x.double() for x in column]).sum()) for column in columns)
        means = {"loss": float(total / count.clamp(min=1))}
        means |= self._results(self._evaluated)
        output.metrics.update({f"{metric_key_prefix}_{name}": x for name, x in means.items()})
        return output

    def _summed(self, x: Any) -> Any:
        return x if self.args.world_size == 1 else self.accelerator.reduce(x, "sum")

    def _results(self, measures: Measures) -> dict[str, float]:
        measures.sums = {name: self._summed(x) for name, x in measures.sums.items()}
        return measures.results()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """As in `Trainer`, with the measures beside a training loss."""
        if "loss" in logs:
            now = time.perf_counter()
            speed = self._tokens * self.args.world_size / (now - self._since)
            self._tokens, self._since = 0, now
            logs |= {**self._results(self._logged), "tokens_per_second": speed}
        super().log(logs, start_time)


def _check(args: DistillArguments, teacher: nn.Module | SignalReader) -> None:
    if args.on_policy and isinstance(teacher, SignalReader):
        raise InvalidInputError(
            f"`on_policy` is {args.on_policy}, and the teacher is on disk, where nothing is said about what the "
            "student will generate; set it to 0, or pass the teacher's model"
        )
    if args.n_gpu > 1:
        raise InvalidInputError(
            f"{args.n_gpu} GPUs in one process; start one process for each: torchrun or accelerate launch"
        )


def recorded(reader: Any, inputs: dict[str, Any]) -> Side:
    """What a folder of signals says about the sequences of a batch, in the shape of the batch."""
    ids = inputs["input_ids"]
    if "signal" not in inputs:
        raise InvalidInputError(
            f"the batch has {', '.join(inputs)}; with a teacher on disk every example also has `signal`, the number of "
            "its sequence in the SignalReader"
        )
    batch = padded([reader[int(i)] for i in inputs["signal"]])
    mask = batch.mask.to(ids.device)
    if mask.shape != ids.shape or bool((~mask & (inputs["labels"] != IGNORED)).any()):
        raise InvalidInputError(
            f"the signals have {mask.sum(-1).tolist()} tokens, the sequences of the batch {ids.shape[1]}; record the "
            "teacher on the sequences that the student is trained on"
        )
    if batch.tokens is not None and bool((batch.tokens.to(ids.device) != ids)[mask].any()):
        raise InvalidInputError(
            "the signals were recorded on other tokens than those of the batch; `signal` is the number of a sequence "
            "in the SignalReader"
        )
    return batch.teacher.to(ids.device)
