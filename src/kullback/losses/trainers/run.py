"""A run of `kullback distill`: from its settings to a student, a card and curves, going on where it was stopped."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint
from transformers.utils import logging

from kullback.errors import InvalidInputError
from kullback.losses.signals import SignalReader
from kullback.losses.speculative import tokens_per_call
from kullback.losses.trainers import models, texts
from kullback.losses.trainers.card import card
from kullback.losses.trainers.curves import Line, Panel, svg
from kullback.losses.trainers.settings import Distill, Recipe, Text, Train, differences
from kullback.losses.trainers.trainer import DistillArguments, DistillTrainer

Progress = Callable[[str, int, int], None]
Numbers = Mapping[str, float]

_ROWS = {
    "kl_teacher_student": "KL(teacher‖student), nats/token",
    "kl_student_teacher": "KL(student‖teacher), nats/token",
    "acceptance": "acceptance rate of drafts",
    "captured": "mass that the record knows",
    "per_call": f"tokens per call of teacher, {models.DRAFTED} drafts",
    "drafted": "tokens/s, teacher with drafts",
    "alone": "tokens/s, teacher alone",
}
_PROMPT, _WRITTEN = 16, 64  # tokens, where the speed of writing is measured
_KEPT = 2  # checkpoints


@dataclass(frozen=True)
class Outcome:
    """What a run has come to: the measures before and after, and where everything is; printed, a table."""

    before: Numbers
    after: Numbers
    training: Numbers
    folder: Path

    def __str__(self) -> str:
        lines = [f"{'':<38}{'before':>12}{'after':>12}"]
        for name, words in _ROWS.items():
            if name in self.before:
                lines.append(f"{words:<38}{_short(self.before[name]):>12}{_short(self.after[name]):>12}")
        lines.append(f"{'tokens/s, in training':<38}{'':>12}{_short(self.training['tokens_per_second']):>12}")
        return "\n".join(lines)


def _short(x: float) -> str:
    return f"{x:.0f}" if abs(x) >= 1000 else f"{x:.4g}"


@dataclass
class _Material:
    """What a run works with."""

    source: Tensor | SignalReader
    tokenizer: Any
    teacher: Any
    student: Any
    teacher_name: str


def distill(recipe: Recipe, progress: Progress) -> Outcome:
    """Train the student of a recipe, or what is left of it; `progress` is told what is done and how far."""
    logging.disable_progress_bar()
    folder = Path(recipe.output)
    _claim(folder, recipe)
    if (folder / "results.json").exists():
        found = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        return Outcome(**found, folder=folder)
    material = _prepared(recipe, folder, progress)
    trainer = _trainer(recipe, folder, material, progress)
    before = _kept(folder / "before.json", lambda: _measured(trainer, material, progress))
    last = get_last_checkpoint(str(folder / "checkpoints")) if (folder / "checkpoints").exists() else None
    trainer.train(resume_from_checkpoint=last)
    after = _measured(trainer, material, progress)
    logged = [x["tokens_per_second"] for x in trainer.state.log_history if "tokens_per_second" in x]
    training = {"tokens_per_second": sorted(logged)[len(logged) // 2]}
    outcome = Outcome(before, after, training, folder)
    _write(recipe, outcome, material, trainer)
    return outcome


def _claim(folder: Path, recipe: Recipe) -> None:
    """The folder is this run's: new, or begun with the same settings."""
    kept = folder / "settings.json"
    if not kept.exists():
        if folder.exists() and any(folder.iterdir()):
            raise InvalidInputError(
                f"output is {recipe.output!r}, where there are files of something else; expected a new folder"
            )
        folder.mkdir(parents=True, exist_ok=True)
        _replace(kept, json.dumps(dataclasses.asdict(recipe), indent=1))
    changed = differences(recipe, json.loads(kept.read_text(encoding="utf-8")))
    if changed:
        raise InvalidInputError(
            f"output is {recipe.output!r}, where a run with other settings is: {'; '.join(changed)}; expected another "
            "folder, or delete this one"
        )


def _prepared(recipe: Recipe, folder: Path, progress: Progress) -> _Material:
    name = recipe.teacher.model or recipe.teacher.signals or "a teacher made on the spot"
    student_name = recipe.student.model
    text = recipe.text
    if recipe.teacher.signals is not None:
        source: Any = SignalReader(recipe.teacher.signals)
        tokenizer = models.loaded_tokenizer(student_name, "student.model") if student_name else None
        teacher, vocabulary, block = source, source.vocabulary, len(source[0])
    else:
        assert text is not None
        progress("reading text", 0, 0)
        content = texts.gathered(text)
        tokenizer = _tokenizer(recipe, content)
        source, block = texts.blocks(tokenizer, content, text.block), text.block
        teacher = _teacher(recipe, folder, source, tokenizer, progress)
        vocabulary = teacher.config.vocab_size
    if student_name is not None:
        student = models.loaded(student_name, "student.model")
    else:
        assert recipe.student.new is not None
        sizes = recipe.student.new
        student = models.made(sizes, vocabulary=vocabulary, block=block, seed=recipe.seed + 1)
    return _Material(source, tokenizer, teacher, student, name)


def _tokenizer(recipe: Recipe, text: str) -> Any:
    assert recipe.text is not None
    name = recipe.text.tokenizer or recipe.teacher.model
    if name == "characters":
        return texts.of_characters(text)
    if name is None:
        raise InvalidInputError(
            "text.tokenizer is nothing, and the teacher is made on the spot; expected 'characters', a folder or a name "
            "on the hub"
        )
    return models.loaded_tokenizer(name, "text.tokenizer")


def _teacher(recipe: Recipe, folder: Path, source: Tensor, tokenizer: Any, progress: Progress) -> Any:
    """The teacher's model; one that is trained first is kept, so that a run that goes on finds it."""
    plan, kept = recipe.teacher.train, folder / "teacher"
    if plan is None:
        assert recipe.teacher.model is not None
        return models.loaded(recipe.teacher.model, "teacher.model")
    if not kept.exists():
        assert recipe.text is not None
        teacher = models.made(plan, vocabulary=len(tokenizer), block=recipe.text.block, seed=recipe.seed)
        _trained(teacher, plan, recipe, source, folder / "teacher-checkpoints", progress)
        partial = folder / "teacher.partial"
        teacher.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        os.replace(partial, kept)
    return models.loaded(str(kept), "teacher")


def _trained(
    teacher: Any, plan: Train, recipe: Recipe, source: Tensor, folder: Path, progress: Progress
) -> None:
    assert recipe.text is not None
    numbers, _ = texts.divided(len(source), recipe.text.held_out, recipe.seed)
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=plan.steps,
        per_device_train_batch_size=plan.batch,
        learning_rate=plan.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=plan.steps // 20,
        save_strategy="steps",
        save_steps=recipe.distill.save_every,
        save_total_limit=_KEPT,
        report_to="none",
        disable_tqdm=True,
        seed=recipe.seed,
        bf16=recipe.distill.precision == "bfloat16",
        use_cpu=not torch.accelerator.is_available(),  # otherwise bfloat16 is refused
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    trainer = Trainer(
        teacher,
        arguments,
        train_dataset=texts.Sequences(source, numbers),
        data_collator=texts.filled,
        callbacks=[_Steps("training the teacher", progress)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=get_last_checkpoint(str(folder)) if folder.exists() else None)


def _trainer(recipe: Recipe, folder: Path, material: _Material, progress: Progress) -> DistillTrainer:
    share = recipe.text.held_out if recipe.text is not None else Text.held_out
    training, held = texts.divided(len(material.source), share, recipe.seed)
    trainer = DistillTrainer(
        material.student,
        material.teacher,
        _arguments(recipe.distill, folder, recipe.seed),
        train_dataset=texts.Sequences(material.source, training),
        eval_dataset=texts.Sequences(material.source, held),
        data_collator=texts.filled,
        processing_class=material.tokenizer,
        callbacks=[_Steps("training the student", progress)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _arguments(settings: Distill, folder: Path, seed: int) -> DistillArguments:
    return DistillArguments(
        output_dir=str(folder / "checkpoints"),
        loss=settings.loss,
        temperature=settings.temperature,
        squared_temperature=settings.squared_temperature,
        per=settings.per,
        on_policy=settings.on_policy,
        prompt_tokens=settings.prompt_tokens,
        memory=settings.memory,
        padded_vocabulary=settings.padded_vocabulary,
        max_steps=settings.steps,
        per_device_train_batch_size=settings.batch,
        per_device_eval_batch_size=settings.batch,
        gradient_accumulation_steps=settings.accumulate,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=settings.steps // 20,
        bf16=settings.precision == "bfloat16",
        eval_strategy="steps",
        eval_steps=settings.evaluate_every,
        logging_steps=max(1, min(settings.evaluate_every, settings.steps // 20)),
        save_strategy="steps",
        save_steps=settings.save_every,
        save_total_limit=_KEPT,
        report_to="none",
        disable_tqdm=True,
        seed=seed,
        use_cpu=not torch.accelerator.is_available(),  # otherwise bfloat16 is refused
        dataloader_pin_memory=torch.cuda.is_available(),
    )


class _Steps(TrainerCallback):
    """Tells how far a training is."""

    def __init__(self, what: str, progress: Progress) -> None:
        self._what, self._progress = what, progress

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self._progress(self._what, state.global_step, state.max_steps)


def _measured(trainer: DistillTrainer, material: _Material, progress: Progress) -> dict[str, float]:
    progress("measuring the student", 0, 0)
    found = trainer.evaluate()
    numbers = {name: found[f"eval_{name}"] for name in _ROWS if f"eval_{name}" in found}
    numbers["per_call"] = tokens_per_call(numbers["acceptance"], models.DRAFTED)
    if isinstance(material.teacher, SignalReader):
        return numbers
    held: Any = trainer.eval_dataset
    prompt = held[0]["input_ids"][None, :_PROMPT]
    speed = {
        "drafted": models.writing_speed(material.teacher, material.student, prompt, tokens=_WRITTEN),
        "alone": models.writing_speed(material.teacher, None, prompt, tokens=_WRITTEN),
    }
    return numbers | speed


def _kept(path: Path, make: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What an earlier start of the run has measured, or a fresh measurement."""
    if not path.exists():
        _replace(path, json.dumps(make(), indent=1))
    return json.loads(path.read_text(encoding="utf-8"))


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def _write(recipe: Recipe, outcome: Outcome, material: _Material, trainer: DistillTrainer) -> None:
    """The student with its card, the curves, and last the results: they say that the run has ended."""
    folder = outcome.folder / "student"
    trainer.save_model(str(folder))
    drawing = svg(_panels(outcome, trainer.state.log_history), below="steps")
    for place in (folder / "curves.svg", outcome.folder / "curves.svg"):
        _replace(place, drawing)
    _replace(folder / "README.md", card(recipe, material.teacher_name, str(outcome)))
    numbers = {"before": outcome.before, "after": outcome.after, "training": outcome.training}
    _replace(outcome.folder / "results.json", json.dumps(numbers, indent=1))


def _panels(outcome: Outcome, history: list[dict[str, float]]) -> list[Panel]:
    seen = {0: outcome.before}
    for x in history:
        if "eval_kl_teacher_student" in x and x["step"]:
            seen[int(x["step"])] = {name: x[f"eval_{name}"] for name in _ROWS if f"eval_{name}" in x}
    steps = sorted(seen)

    def line(name: str, words: str) -> Line:
        return Line(words, steps, [seen[step][name] for step in steps])

    losses = [(x["step"], x["loss"]) for x in history if "loss" in x and math.isfinite(x["loss"])]
    return [
        Panel(
            "Divergence in nats per token",
            [
                line("kl_teacher_student", "KL(teacher‖student)"),
                line("kl_student_teacher", "KL(student‖teacher)"),
                Line("training loss", [x for x, _ in losses], [y for _, y in losses]),
            ],
        ),
        Panel("Share of drafts that the teacher accepts", [line("acceptance", "acceptance rate")]),
    ]
