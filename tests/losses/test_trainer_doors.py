"""Other doors: the trainers of transformers and TRL, and Lightning, train the divergence that was asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import kullback as kb
from kullback.errors import InvalidInputError
from kullback.losses.trainers import Objective, Reading, TeacherLoss
from losses.small_models import CLASSES, Rows, arguments, logits_of, model, one_thread, same, trained, weights

pytestmark = pytest.mark.usefixtures("one_thread")
__all__ = ["one_thread"]


def test_a_trainer_of_transformers_takes_the_loss(tmp_path: Path) -> None:
    """Its own Trainer, accumulating over ragged batches, gives the weights that DistillTrainer gives."""
    from transformers import Trainer, TrainingArguments

    ours = trained(tmp_path, rows=Rows(24, ragged=True), gradient_accumulation_steps=3)
    settings = arguments(tmp_path, gradient_accumulation_steps=3)
    names = set(TrainingArguments.__dataclass_fields__) & set(settings.__dict__)
    init = {n: getattr(settings, n) for n in names if TrainingArguments.__dataclass_fields__[n].init}
    student = model(1)
    theirs = Trainer(
        student,
        TrainingArguments(**init),
        train_dataset=Rows(24, ragged=True),
        compute_loss_func=TeacherLoss(student, model(2)),
    )
    theirs.train()
    assert same(weights(ours), dict(student.state_dict()), 2e-5)


def test_the_loss_wants_a_student_that_it_hears() -> None:
    student = model(1)
    with pytest.raises(InvalidInputError, match="these trainers count tokens"):
        TeacherLoss(student, model(2), objective=Objective(per="sequence"))
    loss, ids = TeacherLoss(model(3), model(2)), Rows(2).ids
    with pytest.raises(InvalidInputError, match="make the loss with the model"):
        loss(student(input_ids=ids), ids)


def test_trl(tmp_path: Path) -> None:
    trl = pytest.importorskip("trl")
    datasets = pytest.importorskip("datasets")
    rows = Rows(8)
    student, teacher = model(1), model(2)
    before = float(Objective()(*(logits_of(m, rows)[0] for m in (student, teacher)), rows.ids))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tokenizers import Tokenizer, models
        from transformers import PreTrainedTokenizerFast

        words = Tokenizer(models.WordLevel({str(i): i for i in range(CLASSES)}, unk_token="0"))
        trainer = trl.SFTTrainer(
            student,
            args=trl.SFTConfig(
                output_dir=str(tmp_path),
                use_cpu=True,
                bf16=False,
                report_to="none",
                max_steps=8,
                learning_rate=5e-3,
                lr_scheduler_type="constant",
                per_device_train_batch_size=4,
                save_strategy="no",
                disable_tqdm=True,
                gradient_checkpointing=False,
            ),
            train_dataset=datasets.Dataset.from_dict({"input_ids": rows.ids.tolist()}),
            processing_class=PreTrainedTokenizerFast(tokenizer_object=words, pad_token="0", eos_token="1"),
            compute_loss_func=TeacherLoss(student, teacher),
        )
        trainer.train()
    after = float(Objective()(*(logits_of(m, rows)[0] for m in (student, teacher)), rows.ids))
    assert after < 0.95 * before
    logged = [x["loss"] for x in trainer.state.log_history if "loss" in x]
    assert all(0 < x < 1.2 * before for x in logged)


def test_lightning(tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning")

    class Distilled(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.student, self.objective = model(1), Objective(kb.js)
            self.reading = [
                Reading(self.student),
                Reading(model(2).eval()),
            ]  # a list: the teacher is not saved
            self.seen: list[float] = []

        def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
            with torch.no_grad():
                teacher = self.reading[1](batch)
            loss = self.objective(self.reading[0](batch), teacher, batch["labels"])
            self.seen.append(float(loss.detach()))
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=5e-3)

    module = Distilled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            max_epochs=4,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
        )
        trainer.fit(module, torch.utils.data.DataLoader(Rows(8), batch_size=4))
    assert module.seen[-1] < 0.9 * module.seen[0]


@pytest.mark.slow
def test_two_processes_are_one(tmp_path: Path) -> None:
    """Batches of unequal length on two processes: weights, losses and measures of one process with all of them."""
    program = str(Path(__file__).with_name("trainer_process.py"))
    alone, both = tmp_path / "alone", tmp_path / "both"
    for folder in (alone, both):
        folder.mkdir()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, program, str(alone), "4"], check=True, env=environment)
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run([*start, program, str(both), "2"], check=True, env=environment)
    one, two = (torch.load(folder / "weights.pt", weights_only=True) for folder in (alone, both))
    assert not same(one, dict(model(1).state_dict()), 1e-4)
    assert same(one, two, 1e-5)
    numbers = [json.loads((folder / "numbers.json").read_text()) for folder in (alone, both)]
    assert numbers[1] == pytest.approx(numbers[0], rel=1e-4)
