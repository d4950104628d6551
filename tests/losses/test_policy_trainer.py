"""TRL's trainer of policies under any divergence: its own penalties where it has them, and the example."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

import kullback as kb
from kullback.errors import InvalidInputError
from losses.small_models import model, one_thread
from losses.test_preference_trainer import words

trl = pytest.importorskip("trl")
datasets = pytest.importorskip("datasets")

pytestmark = pytest.mark.usefixtures("one_thread")
__all__ = ["one_thread"]


def low_numbers(completion_ids: list[list[int]], **_: object) -> list[float]:
    """The share of an answer's tokens below half the vocabulary."""
    return [sum(i < 24 for i in ids) / len(ids) for ids in completion_ids]


def trained(
    kind: Any, folder: Path, *, more: dict[str, Any] | None = None, **changes: Any
) -> tuple[dict, list]:
    """Weights and log after three steps of four answers to each of two prompts."""
    start = str(folder / "start")
    model(1).save_pretrained(start)
    settings = {
        "output_dir": str(folder),
        "use_cpu": True,
        "bf16": False,
        "report_to": "none",
        "max_steps": 3,
        "learning_rate": 3e-3,
        "per_device_train_batch_size": 8,
        "num_generations": 4,
        "max_completion_length": 6,
        "beta": 0.5,
        "logging_steps": 1,
        "save_strategy": "no",
        "disable_tqdm": True,
        "gradient_checkpointing": False,
    }
    rows = [{"prompt": f"{i + 5} 6"} for i in range(8)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = kind(
            start,
            reward_funcs=low_numbers,
            args=trl.GRPOConfig(**{**settings, **changes}),
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=words(),
            **(more or {}),
        )
        trainer.train()
    return dict(trainer.model.state_dict()), trainer.state.log_history


@pytest.mark.parametrize(
    ("d", "theirs"),
    [
        (kb.kl, {}),
        (kb.kl, {"loss_type": "grpo", "num_iterations": 2}),
        (kb.reverse_kl, {"loss_type": "bnpo", "use_bias_correction_kl": False}),
        (kb.kl, {"loss_type": "dr_grpo", "gradient_accumulation_steps": 2, "per_device_train_batch_size": 4}),
    ],
    ids=["as it comes", "draws used twice", "k3 held constant", "accumulated"],
)
def test_its_own_penalties(d: kb.FDivergence, theirs: dict[str, Any], tmp_path: Path) -> None:
    from kullback.losses.trainers import PolicyTrainer

    ours, log = trained(PolicyTrainer, tmp_path / "ours", more={"divergence": d}, **theirs)
    wanted, other = trained(trl.GRPOTrainer, tmp_path / "theirs", **theirs)
    moved = max(float((wanted[name] - x).abs().max()) for name, x in model(1).state_dict().items())
    assert moved > 5e-3
    # Adam divides by the size of gradients, so that the rounding of tiny ones shows
    assert all(torch.allclose(ours[name], wanted[name], atol=2e-4) for name in wanted)
    for x, y in zip(log[:3], other[:3], strict=True):
        assert x["entropy"] == pytest.approx(y["entropy"], rel=1e-3)
        if d == kb.kl:
            assert x["divergence"] == pytest.approx(y["kl"], rel=1e-3, abs=1e-7)


def test_a_penalty_that_trl_has_not(tmp_path: Path) -> None:
    from kullback.losses.trainers import PolicyTrainer

    _, log = trained(PolicyTrainer, tmp_path, more={"divergence": kb.js.normalised()})
    assert log[0]["divergence"] == pytest.approx(0.0, abs=1e-9)
    assert log[2]["divergence"] > 1e-6
    assert "kl" not in log[0]


def test_no_penalty_is_refused(tmp_path: Path) -> None:
    from kullback.losses.trainers import PolicyTrainer

    with pytest.raises(InvalidInputError, match=r"`args\.beta` is 0\.0"):
        trained(PolicyTrainer, tmp_path, beta=0.0)
    with pytest.raises(InvalidInputError, match="is not an f-divergence"):
        trained(PolicyTrainer, tmp_path, more={"divergence": kb.renyi(2)})


@pytest.mark.slow
def test_the_example(tmp_path: Path) -> None:
    from examples.grpo_trl import trained as run

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log = run(kb.js, str(tmp_path), steps=16)
    assert float(log[-1]["reward"]) > float(log[0]["reward"]) + 0.05
    assert 0.0 < float(log[-1]["divergence"]) < kb.js.normalised().upper_bound
