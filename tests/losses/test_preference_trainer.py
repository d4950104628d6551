"""TRL's trainer under any divergence: its own losses where it has them, and the example that shows the others."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

import kullback as kb
from kullback.errors import InvalidInputError
from losses.small_models import CLASSES, model, one_thread

trl = pytest.importorskip("trl")
datasets = pytest.importorskip("datasets")

pytestmark = pytest.mark.usefixtures("one_thread")
__all__ = ["one_thread"]


def words() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordLevel({str(i): i for i in range(CLASSES)}, unk_token="0"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="0", eos_token="1", unk_token="0")


def trained(
    kind: Any, folder: Path, *, more: dict[str, Any] | None = None, **changes: Any
) -> tuple[dict, list]:
    """Weights and log after three steps on eight pairs."""
    rows = [{"prompt": "5 6", "chosen": f" {i + 7} 8", "rejected": f" {i + 20} 9 {i + 3}"} for i in range(8)]
    settings = {
        "output_dir": str(folder),
        "use_cpu": True,
        "bf16": False,
        "report_to": "none",
        "max_steps": 3,
        "learning_rate": 1e-3,
        "per_device_train_batch_size": 4,
        "logging_steps": 1,
        "save_strategy": "no",
        "disable_tqdm": True,
        "gradient_checkpointing": False,
    }
    start = model(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = kind(
            start,
            ref_model=copy.deepcopy(start),
            args=trl.DPOConfig(**{**settings, **changes}),
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=words(),
            **(more or {}),
        )
        trainer.train()
    return dict(start.state_dict()), trainer.state.log_history


@pytest.mark.parametrize(
    ("d", "theirs"),
    [
        (kb.kl, {}),
        (kb.reverse_kl, {"f_divergence_type": "forward_kl"}),
        (kb.alpha(0.7), {"f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": 0.7}),
    ],
    ids=str,
)
def test_its_own_losses(d: kb.FDivergence, theirs: dict[str, Any], tmp_path: Path) -> None:
    from kullback.losses.trainers import PreferenceTrainer

    ours, log = trained(PreferenceTrainer, tmp_path, more={"divergence": d})
    wanted, other = trained(trl.DPOTrainer, tmp_path, **theirs)
    # Adam divides by the size of gradients, so that the rounding of tiny ones shows
    assert all(torch.allclose(ours[name], wanted[name], atol=2e-5) for name in wanted)
    for x, y in zip(log[:3], other[:3], strict=True):
        assert float(x["loss"]) == pytest.approx(float(y["loss"]), rel=1e-3)
        assert x["logps/chosen"] == pytest.approx(y["logps/chosen"], rel=1e-3)


def test_other_losses_are_refused(tmp_path: Path) -> None:
    from kullback.losses.trainers import PreferenceTrainer

    with pytest.raises(InvalidInputError, match=r"`args.loss_type` is \['ipo'\]"):
        trained(PreferenceTrainer, tmp_path, loss_type="ipo")
    with pytest.raises(InvalidInputError, match=r"le_cam has slope -1\.5"):
        trained(PreferenceTrainer, tmp_path, more={"divergence": kb.le_cam})


@pytest.mark.slow
def test_the_example(tmp_path: Path) -> None:
    from examples.dpo_trl import trained as run

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log = run(kb.js, str(tmp_path), steps=24, pairs=64)
    assert float(log[-1]["loss"]) < float(log[0]["loss"])
    assert log[-1]["rewards/margins"] > log[0]["rewards/margins"]
