"""kb.check_loss names every mistake that it promises to name, and nothing where nothing is wrong."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import kullback as kb
from kullback import Head
from kullback.losses import TopK
from losses.definitions import logits
from problems.listed import LISTED

SHAPE = (3, 5, 20)
KEPT = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]], dtype=torch.bool)


def pair(shape: tuple[int, ...] = SHAPE, delta: float = 0.5) -> tuple[Tensor, Tensor]:
    return logits(torch.Generator().manual_seed(40), shape, delta)


def names(*sides: Any, **options: Any) -> list[str]:
    found = kb.check_loss(*sides, **options)
    assert all(len(line) <= 80 for line in str(found).splitlines())
    assert found.ok == (not found.findings)
    return [finding.name for finding in found.findings]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mask": KEPT},
        {"labels": torch.where(KEPT, 3, -100)},
        {"temperature": 2.0, "squared_temperature": True},
        {"wanted": "coverage"},
        {"d": kb.reverse_kl, "wanted": "modes"},
        {"d": kb.js, "wanted": "modes"},
        {"d": kb.renyi(2)},
    ],
    ids=str,
)
def test_nothing_is_found_where_nothing_is_wrong(options: dict[str, Any]) -> None:
    student, teacher = pair()
    assert names(student.requires_grad_(), teacher, **options) == []
    found = kb.check_loss(student, teacher, **options)
    assert found.ok
    assert repr(found).endswith("nothing was found")
    named = {k: v for k, v in options.items() if k not in ("d", "wanted", "squared_temperature")}
    d = options.get("d", kb.kl)
    assert found.to_student == pytest.approx(kb.loss(d, student, teacher, **named).item(), rel=1e-5)
    assert found.to_teacher == pytest.approx(kb.loss(d, teacher, student, **named).item(), rel=1e-5)
    assert (found.rows, found.counted) == (15, 9 if "mask" in options or "labels" in options else 15)


def test_heads_half_precision_and_log_probabilities_are_fine() -> None:
    rng = torch.Generator().manual_seed(41)
    heads = [Head(torch.randn(3, 5, w, generator=rng), torch.randn(20, w, generator=rng)) for w in (4, 6)]
    assert names(*heads) == []
    student, teacher = pair()
    assert names(student.to(torch.bfloat16), teacher.half()) == []
    assert names(student.log_softmax(-1), teacher.log_softmax(-1)) == []


def test_nothing_of_the_caller_changes() -> None:
    student, teacher = pair()
    before = student.clone(), teacher.clone()
    student.requires_grad_()
    kb.check_loss(student, teacher, mask=KEPT, value=0.3)
    assert torch.equal(student, before[0])
    assert torch.equal(teacher, before[1])
    assert student.grad is None


def test_probabilities() -> None:
    student, teacher = pair()
    assert names(student.softmax(-1), teacher) == ["probabilities"]
    assert names(student, teacher.softmax(-1).to(torch.bfloat16)) == ["probabilities"]
    assert names(student.softmax(-1), teacher.softmax(-1)) == ["probabilities"] * 2


def test_log_probabilities_that_are_softened_again() -> None:
    student, teacher = pair()
    options = {"temperature": 2.0, "squared_temperature": True}
    assert names((student / 2).log_softmax(-1), teacher, **options) == ["log-probabilities"]


def test_everything_masked() -> None:
    for options in ({"mask": torch.zeros(3, 5)}, {"labels": torch.full((3, 5), -100)}):
        assert names(*pair(), **options) == ["everything masked"]


def test_padding_that_counts() -> None:
    student, teacher = pair()
    for side in (student, teacher):
        side[~KEPT] = 0.0
    assert names(student, teacher) == ["padding"]
    assert names(student, teacher, mask=KEPT) == []


def test_rows_that_repeat() -> None:
    student, teacher = pair()
    for side in (student, teacher):
        side[0, 3:] = side[0, 2]
    assert names(student, teacher) == ["repeated rows"]
    assert "2 rows" in kb.check_loss(student, teacher).findings[0].seen


def test_labels_that_are_no_classes() -> None:
    labels = torch.where(KEPT, 3, -1)
    assert names(*pair(), labels=labels) == ["labels"]
    assert names(*pair(), labels=labels, ignore_index=-1) == []


def test_what_the_loss_refuses() -> None:
    student, teacher = pair()
    for sides, says in (
        ((student, teacher[..., :18]), "the student has 20 classes and the teacher 18"),
        ((student, teacher[:2]), "they must agree"),
        ((student.long(), teacher), "convert them to float"),
        ((student, teacher.numpy()), "`teacher` is a ndarray"),
        ((student, TopK(torch.zeros(3, 5, 1).long(), torch.zeros(3, 5, 1), vocabulary=20)), "is a TopK"),
    ):
        assert names(*sides) == ["refused"]
        assert says in kb.check_loss(*sides).findings[0].seen
    assert names(student, teacher, temperature=0.0) == ["refused"]
    assert names(student, teacher, mask=KEPT[0]) == ["refused"]


def test_a_padded_vocabulary() -> None:
    student, teacher = pair()
    student[..., -3:] = 0.0
    assert names(student, teacher) == ["padded vocabulary"]
    assert "the last 3 of 20 logits of the student are 0" in kb.check_loss(student, teacher).findings[0].seen
    student[..., -3:] = -math.inf
    assert names(student, teacher) == ["infinite rows"]
    teacher[..., -3:] = -math.inf
    assert names(student, teacher) == []


def test_student_is_teacher() -> None:
    student, _ = pair()
    assert names(student, student) == ["student is teacher"]
    assert names(student, student.clone()) == ["student is teacher"]


def test_who_learns() -> None:
    student, teacher = pair()
    assert names(student, teacher.requires_grad_()) == ["sides swapped"]
    assert names(student.requires_grad_(), teacher) == ["teacher learns"]
    assert names(student, teacher, teacher_learns=True) == []
    head = Head(torch.randn(3, 5, 2), torch.randn(20, 2, requires_grad=True))
    assert names(student, head) == ["teacher learns"]


def test_rows_that_are_not_finite() -> None:
    for bad in (math.nan, math.inf):
        student, teacher = pair()
        student[1, 2, 3] = bad
        assert names(student, teacher) == ["not finite"]
        assert "1 of 15 rows of the student" in kb.check_loss(student, teacher).findings[0].seen
    student, teacher = pair()
    teacher[0, 0] = -math.inf
    assert names(student, teacher) == ["not finite"]
    hot = (70000.0 * torch.ones(SHAPE)).half()
    assert "float16 ends at 65504" in kb.check_loss(pair()[0], hot).findings[0].remedy


def test_logits_too_coarse_for_their_difference() -> None:
    student = 10 * torch.randn(4, 50, generator=torch.Generator().manual_seed(42))
    teacher = student + 1e-3 * torch.randn(4, 50, generator=torch.Generator().manual_seed(43))
    assert names(student, teacher) == []
    assert names(student.to(torch.bfloat16), teacher.to(torch.bfloat16)) == ["half precision"]
    far = student + torch.randn(4, 50, generator=torch.Generator().manual_seed(43))
    assert names(student.to(torch.bfloat16), far.to(torch.bfloat16)) == []


def test_temperature_without_its_square() -> None:
    assert names(*pair(), temperature=4.0) == ["temperature without T²"]
    assert "0.062" in kb.check_loss(*pair(), temperature=4.0).findings[0].seen


def test_the_other_direction_is_wanted() -> None:
    assert names(*pair(), wanted="modes") == ["direction"]
    assert names(*pair(), d=kb.reverse_kl, wanted="coverage") == ["direction"]
    assert "reverse_kl" in kb.check_loss(*pair(), wanted="modes").findings[0].remedy


AIMS = {
    "kl": "coverage",
    "pearson_chi2": "coverage",
    "alpha(3)": "coverage",
    "skew_js(0.1)": "coverage",
    "reverse_kl": "modes",
    "neyman_chi2": "modes",
    "alpha(-1.5)": "modes",
    "js": None,
    "jeffreys": None,
    "total_variation": None,
}


@pytest.mark.parametrize("d", LISTED, ids=repr)
def test_the_aim_of_a_dual_is_the_other_one(d: kb.FDivergence) -> None:
    aim, other = (kb.check_loss(*pair(), d=x).aim for x in (d, d.dual))
    assert {aim, other} in ({None}, {"coverage", "modes"})
    assert aim == AIMS.get(d.name, aim)


# Numbers from elsewhere -------------------------------------------------------------------------------------------


def with_torch(student: Tensor, teacher: Tensor, reduction: str) -> float:
    return F.kl_div(student.log_softmax(-1), teacher.softmax(-1), reduction=reduction).item()


@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
def test_the_right_number_is_no_finding() -> None:
    student, teacher = pair()
    rows = with_torch(student.flatten(0, 1), teacher.flatten(0, 1), "batchmean")
    assert names(student, teacher, value=rows) == []
    assert names(student, teacher, value=torch.tensor(rows)) == []


@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
def test_slips_with_torch() -> None:
    student, teacher = pair()
    for reduction, says in (
        ("mean", "D(teacher‖student) a row and a class"),
        ("batchmean", "D(teacher‖student) an entry of the first axis"),
        ("sum", "D(teacher‖student) in all"),
    ):
        assert says in seen(student, teacher, with_torch(student, teacher, reduction))
        swapped = seen(student, teacher, with_torch(teacher, student, reduction))
        assert says.replace("teacher‖student", "student‖teacher") in swapped


def seen(student: Tensor, teacher: Tensor, value: float, **options: Any) -> str:
    assert names(student, teacher, value=value, **options)[-1] == "value"
    return kb.check_loss(student, teacher, value=value, **options).findings[-1].seen


def test_other_slips() -> None:
    student, teacher = pair()
    right = kb.loss(kb.kl, student, teacher).item()
    assert "D(student‖teacher) a row" in seen(
        student, teacher, kb.loss(kb.reverse_kl, student, teacher).item()
    )
    assert "in bits" in seen(student, teacher, right / math.log(2))
    cross = -(teacher.softmax(-1) * student.log_softmax(-1)).sum(-1).mean().item()
    assert "the cross-entropy" in seen(student, teacher, cross)
    assert "nor one of" in seen(student, teacher, 17.0)
    kept = kb.loss(kb.kl, student, teacher, mask=KEPT).item()
    assert "masked ones too" in seen(student, teacher, right, mask=KEPT)
    assert "masked or not" in seen(student, teacher, kept * 9 / 15, mask=KEPT)
    softened = kb.loss(kb.kl, student, teacher, temperature=2.0).item()
    options = {"temperature": 2.0, "squared_temperature": True}
    assert names(student, teacher, value=4 * softened, **options) == []
    assert "without T²" in seen(student, teacher, softened, **options)
