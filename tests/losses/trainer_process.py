"""One of several processes that train together: `torchrun trainer_process.py FOLDER BATCH` leaves the results there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from kullback.losses.trainers import DistillTrainer
from losses.small_models import Rows, arguments, model


def main(folder: Path, batch: int) -> None:
    torch.set_num_threads(1)
    settings = {"optim": "sgd", "learning_rate": 0.5, "max_steps": 2, "logging_steps": 1}
    trainer = DistillTrainer(
        model(1),
        model(2),
        arguments(folder, per_device_train_batch_size=batch, **settings),
        train_dataset=Rows(16, ragged=True),
        eval_dataset=Rows(8, ragged=True),
    )
    trainer.train()
    found = trainer.evaluate()
    if trainer.is_world_process_zero():
        assert trainer.head
        torch.save(trainer.model.state_dict(), folder / "weights.pt")
        numbers = {name: found[name] for name in ("eval_loss", "eval_acceptance", "eval_kl_student_teacher")}
        logged = {name: trainer.state.log_history[0][name] for name in ("loss", "kl_teacher_student")}
        (folder / "numbers.json").write_text(json.dumps(numbers | logged))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
