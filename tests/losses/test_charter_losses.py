"""The promises on awkward logits for the training loss, one test a row, L1 to L23 but for L20, which is about draws."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import kullback as kb
from kullback import Divergence, Engine, Head
from losses.definitions import dyadic, gradients, leaves, logits, relative, truth, wide
from problems.listed import BUILT_IN, KINDS, ORIGINALS, leeway
from problems.truth import relative_error, truth_of

INF = math.inf
ROUNDED = 2e-6
RELATIVES = tuple(d for d in kb.catalogue().relatives if isinstance(d, Divergence))
TEACHER, STUDENT = [1.0, 0.2, 0.3, 2.0], [0.5, 0.0, 0.1, 2.5]

every = pytest.mark.parametrize("d", [*ORIGINALS, *RELATIVES], ids=repr)
every_original = pytest.mark.parametrize("d", ORIGINALS, ids=repr)
every_kind = pytest.mark.parametrize("d", [*KINDS, kb.renyi(2)], ids=repr)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def masked(row: list[float], *places: int) -> list[float]:
    return [-INF if i in places else x for i, x in enumerate(row)]


def value_and_gradients(
    d: Any, student: Any, teacher: Any, dtype: torch.dtype = torch.float64
) -> tuple[float, list[Tensor]]:
    pair = [torch.tensor([z], dtype=dtype, requires_grad=True) for z in (student, teacher)]
    loss = kb.loss(d, *pair)
    return loss.item(), [g[0] for g in gradients(loss, pair)]


@every
def test_L1_masked_in_both(d: Divergence) -> None:
    sides = masked(STUDENT, 1), masked(TEACHER, 1)
    value, found = value_and_gradients(d, *sides)
    without, wanted = value_and_gradients(d, *([z for z in side if z > -INF] for side in sides))
    assert value == pytest.approx(without, rel=1e-13 * 50, abs=1e-15)
    for got, true in zip(found, wanted, strict=True):
        assert got[1] == 0
        torch.testing.assert_close(got[[0, 2, 3]], true, rtol=1e-9, atol=1e-14)
    if d not in RELATIVES:
        assert value_and_gradients(d, sides[0], sides[0])[0] == 0.0


def test_L1_a_head_that_masks_by_its_bias() -> None:
    bias = torch.tensor([0.1, -INF, 0.2, 0.3, -INF])
    parts, teacher = [dyadic(generator(1), 7, 3), dyadic(generator(2), 5, 3), bias], torch.randn(7, 5)
    keep = [0, 2, 3]
    teacher[:, [1, 4]] = -INF
    mine = leaves(*parts)
    loss = kb.loss(kb.js, Head(*mine), teacher, engine=Engine(memory=100))
    true = wide(parts[0], parts[1][keep], bias[keep])
    wanted = truth(kb.js, true[0] @ true[1].T + true[2], teacher[:, keep]).mean()
    assert loss.item() == pytest.approx(wanted.item(), rel=ROUNDED)
    hidden, weight, offset = gradients(loss, mine)
    others = gradients(wanted, true)
    assert relative(hidden, others[0]) <= ROUNDED
    assert relative(weight[keep], others[1]) <= ROUNDED
    assert relative(offset[keep], others[2]) <= ROUNDED
    assert (weight[[1, 4]] == 0).all()


@every_original
def test_L2_masked_in_the_teacher_only(d: kb.FDivergence) -> None:
    teacher = masked(TEACHER, 1)
    value, (to_student, to_teacher) = value_and_gradients(d, STUDENT, teacher)
    assert relative_error(value, truth_of(d).of_logits(teacher, STUDENT)) <= 5e-15 * leeway(d)
    assert value == INF if d.at_zero == INF else math.isfinite(value)
    assert torch.isfinite(to_student).all()
    assert torch.isfinite(to_teacher).all()
    # mass that the student has where the teacher has none is taken away, wherever it costs something
    assert to_student[1] > 0 or d.at_zero == INF


@every_original
def test_L3_masked_in_the_student_only(d: kb.FDivergence) -> None:
    """Infinite where f is; the gradient is then that of the finite part, never NaN, and other rows are untouched."""
    student = masked(STUDENT, 1)
    value, found = value_and_gradients(d, student, TEACHER)
    assert relative_error(value, truth_of(d).of_logits(TEACHER, student)) <= 5e-15 * leeway(d)
    assert value == INF if d.at_infinity == INF else math.isfinite(value)
    assert all(torch.isfinite(g).all() for g in found)
    rows = kb.per_token(d, torch.tensor([student, STUDENT]), torch.tensor([TEACHER, TEACHER]))
    assert float(rows[1]) == pytest.approx(value_and_gradients(d, STUDENT, TEACHER)[0], rel=ROUNDED)


@every_original
def test_L4_a_row_without_classes(d: kb.FDivergence) -> None:
    sides = torch.tensor([masked(STUDENT, 0, 1, 2, 3), STUDENT]), torch.tensor([TEACHER, TEACHER])
    for pair in (sides, sides[::-1]):
        mine = leaves(*pair)
        rows = kb.per_token(d, *mine)
        assert rows[0].isnan()
        assert rows[1].isfinite()
        for gradient in gradients(kb.loss(d, *mine), mine):
            assert gradient[1].isfinite().all()
        with pytest.raises(kb.InvalidInputError, match="1 of 2 rows"):
            kb.loss(d, *mine, nonfinite="raise")


@pytest.mark.parametrize("d", BUILT_IN, ids=repr)
def test_L5_large_logits(d: kb.FDivergence) -> None:
    for teacher, student in (
        ([1e4, 0.0, -1e4], [1e4, 1.0, -1e4]),
        ([1e4, 1e4 - 1, -1e4], [1e4 - 2, 1e4, 0.0]),
        ([1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]),
    ):
        value, found = value_and_gradients(d, student, teacher)
        true = truth_of(d).of_logits(teacher, student)
        assert relative_error(value, true) <= 1e-11 or abs(value - true) < 1e-300 or true > 1e308
        assert all(torch.isfinite(g).all() for g in found)
    teacher, student = [6e4, 6e4 - 32, -6e4], [6e4 - 64, 6e4, -6e4]
    if d in (kb.kl, kb.js, kb.reverse_kl, kb.jeffreys):
        value, found = value_and_gradients(d, student, teacher, torch.float16)
        exact = [torch.tensor(z, dtype=torch.float16).double().tolist() for z in (teacher, student)]
        assert relative_error(value, truth_of(d).of_logits(*exact)) < 1e-6
        assert all(torch.isfinite(g).all() for g in found)


@every_kind
def test_L6_a_constant_changes_nothing(d: Divergence) -> None:
    """Beyond the rounding of the logits, which is none here: multiples of 2⁻¹⁰ in single precision."""
    student, teacher = (torch.round(z * 1024) / 1024 for z in logits(generator(3), (6, 20), 0.1))
    shifted = kb.loss(d, student + 8192.0, teacher - 4096.0)
    assert shifted.item() == pytest.approx(kb.loss(d, student, teacher).item(), rel=1e-4)
    same = kb.loss(d, student + 8192.0, student + 8192.0)
    assert same.item() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("d", BUILT_IN, ids=repr)
def test_L7_both_far_below_the_smallest_float(d: kb.FDivergence) -> None:
    teacher, student = [0.0, -110.0, -150.0, -600.0], [-0.5, -105.0, -160.0, -500.0]
    value, found = value_and_gradients(d, student, teacher, torch.float32)
    true = truth_of(d).of_logits(teacher, student)
    if true > 3e38:
        assert value == INF
    elif true < 1e-37:
        assert 0 <= value <= 1e-37
    else:
        assert relative_error(value, true) < 2e-5 * (1 + d.steepness)
    assert all(torch.isfinite(g).all() for g in found)


@pytest.mark.parametrize("d", BUILT_IN, ids=repr)
def test_L8_single_against_half_precision(d: kb.FDivergence) -> None:
    student = torch.randn(40, 50, generator=generator(4))
    teacher = student.to(torch.bfloat16)
    rows = kb.per_token(d, student, teacher)
    assert rows.dtype == torch.float32
    assert (rows >= 0).all()
    for i in range(2):
        true = truth_of(d).of_logits(teacher[i].double().tolist(), student[i].double().tolist())
        assert relative_error(float(rows[i]), true) < ROUNDED


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_L9_equal_bfloat16_logits_over_a_whole_vocabulary(compiled: bool) -> None:
    z = torch.randn(2, 248_320, generator=generator(5)).to(torch.bfloat16)
    for d in KINDS:
        mine = leaves(z, z)
        loss = kb.loss(d, *mine, engine=Engine(compiled=compiled))
        assert loss.item() == 0.0
        assert all((g == 0).all() for g in gradients(loss, mine))


@pytest.mark.parametrize("per", ["token", "sequence", "batch"])
@every_kind
def test_L10_a_batch_without_rows_that_count(d: Divergence, per: Any) -> None:
    parts = [torch.randn(2, 3, 4), torch.randn(5, 4), torch.randn(2, 3, 5), torch.ones(2, 3)]
    for options in ({"labels": torch.full((2, 3), -100)}, {"mask": torch.zeros(2, 3, dtype=torch.bool)}):
        mine = leaves(*parts)
        loss = kb.loss(d, Head(*mine[:2]), mine[2], weight=mine[3], per=per, **options)
        loss.backward()
        assert loss.item() == 0.0
        assert all(x.grad is not None and (x.grad == 0).all() for x in mine)


@every_kind
def test_L11_what_stands_in_rows_that_do_not_count(d: Divergence) -> None:
    mask = torch.tensor([True, False, True, False])
    parts = [dyadic(generator(6), 4, 3), dyadic(generator(7), 6, 3), logits(generator(8), (4, 6), 1.0)[1]]
    spoilt = [parts[0].clone(), parts[1], parts[2].clone()]
    spoilt[0][1], spoilt[0][3], spoilt[2][1], spoilt[2][3] = math.nan, INF, -INF, math.nan
    found = []
    for part in (parts, spoilt):
        mine = leaves(*part)
        loss = kb.loss(d, Head(*mine[:2]), mine[2], mask=mask)
        found.append([loss, *gradients(loss, mine)])
    for clean, other in zip(*found, strict=True):
        assert torch.equal(clean, other)


def test_L12_a_row_of_nan_among_others() -> None:
    student, teacher = logits(generator(9), (5, 6), 1.0)
    student[2, 0] = math.nan
    assert torch.isnan(kb.per_token(kb.kl, student, teacher)).tolist() == [False, False, True, False, False]
    keep = torch.arange(5) != 2
    with pytest.warns(RuntimeWarning, match="1 of 5 rows"):
        skipped = kb.loss(kb.kl, student, teacher, nonfinite="skip")
    assert skipped.item() == pytest.approx(kb.loss(kb.kl, student[keep], teacher[keep]).item(), rel=1e-6)


def test_L13_ends_of_the_skewed_mean() -> None:
    """The raw form goes to 0 at both ends; divided by β(1 − β), it goes to KL and to the other KL."""
    pair = logits(generator(10), (4, 30), 1.0, dtype=torch.float64)
    for beta, limit in ((1e-7, kb.kl), (1 - 1e-7, kb.reverse_kl)):
        d = kb.skew_js(beta)
        assert kb.loss(d, *pair).item() < 1e-6
        assert kb.loss(d.normalised(), *pair).item() == pytest.approx(kb.loss(limit, *pair).item(), rel=1e-6)
    for beta in (-0.1, 1.1):
        with pytest.raises(kb.InvalidInputError):
            kb.skew_js(beta)


def test_L14_probabilities_are_named() -> None:
    student, teacher = logits(generator(11), (4, 6), 1.0)
    found = kb.check_loss(student.softmax(-1), teacher)
    assert [finding.name for finding in found.findings] == ["probabilities"]


@every_original
def test_L15_the_teacher_comes_first_in_the_divergence(d: kb.FDivergence) -> None:
    student, teacher = torch.tensor([STUDENT]), torch.tensor([TEACHER])
    p, q = (z[0].double().softmax(-1) for z in (teacher, student))
    loss = kb.loss(d, student=student, teacher=teacher).item()
    assert loss == pytest.approx(float(d(p, q)), rel=ROUNDED)
    assert kb.loss(d, student, teacher).item() == loss
    assert kb.loss(d.dual, student, teacher).item() == pytest.approx(float(d(q, p)), rel=ROUNDED)


def test_L16_every_average_has_a_name() -> None:
    pair = logits(generator(12), (2, 3, 5), 1.0)
    for wrong in ("mean", "sum", "none", None):
        with pytest.raises(kb.InvalidInputError, match=r"`per` is .*; expected one of 'token', 'sequence'"):
            kb.loss(kb.kl, *pair, per=wrong)  # type: ignore[arg-type]
    for per in ("sequence", "batch"):
        with pytest.raises(
            kb.ShapeError, match=r"needs logits of shape \(\.\.\., sequences, tokens, classes\)"
        ):
            kb.loss(kb.kl, pair[0][0], pair[1][0], per=per)  # type: ignore[arg-type]


def test_L17_temperatures() -> None:
    student, teacher = logits(generator(13), (4, 6), 1.0, dtype=torch.float64)
    for wrong in (0, -1.0, INF, math.nan, torch.tensor(0.0), torch.tensor(-1.0)):
        with pytest.raises(
            kb.InvalidInputError, match=r"`temperature` is .*; expected a finite number above 0"
        ):
            kb.loss(kb.kl, student, teacher, temperature=wrong)
    mine = leaves(student, teacher)
    loss = kb.loss(kb.kl, *mine, temperature=1e-3)
    assert math.isfinite(loss.item())
    assert all(g.isfinite().all() for g in gradients(loss, mine))
    student[:, 1], teacher[:, 1] = -INF, -INF
    mine = leaves(student, teacher, torch.tensor(2.0, dtype=torch.float64))
    found = gradients(kb.loss(kb.kl, *mine[:2], temperature=mine[2]), mine)
    assert all(g.isfinite().all() for g in found)
    assert found[2] != 0


@every_kind
def test_L18_the_gradient_of_the_teacher(d: Divergence) -> None:
    """There where it is asked for, alone or with the student's; none where the teacher is a constant."""
    pair = logits(generator(14), (4, 6), 1.0)
    student, teacher = pair[0], pair[1].clone().requires_grad_()
    kb.loss(d, student, teacher).backward()
    true = wide(*pair)
    wanted = gradients(truth(d, *true).mean(), true)[1]
    assert teacher.grad is not None
    assert relative(teacher.grad, wanted) <= ROUNDED
    assert student.grad is None


@every_kind
def test_L19_the_chunks_do_not_matter(d: Divergence) -> None:
    rng = generator(15)
    parts = [dyadic(rng, *shape, size=12) for shape in ((37, 8), (50, 8), (37, 6), (50, 6))]
    found = []
    for rows in (1, 7, 37):
        mine = leaves(*parts)
        engine = Engine(memory=rows * 2 * 50 * 4)
        loss = kb.loss(d, Head(*mine[:2]), Head(*mine[2:]), engine=engine)
        found.append((loss, *gradients(loss, mine)))
    for other in found[:2]:
        assert other[0].item() == pytest.approx(found[2][0].item(), rel=2.4e-7)
        for a, b in zip(other[1:], found[2][1:], strict=True):
            assert relative(a, b) <= 1e-6


def test_L21_an_empty_batch() -> None:
    student, teacher = torch.zeros(0, 5, requires_grad=True), torch.zeros(0, 5)
    assert kb.per_token(kb.kl, student, teacher).shape == (0,)
    loss = kb.loss(kb.kl, student, teacher, denominator=8)
    assert loss.item() == 0.0
    loss.backward()
    assert student.grad is not None
    with pytest.raises(kb.InvalidInputError, match=r"there is no token .*: pass `denominator=`"):
        kb.loss(kb.kl, student, teacher)


def test_L22_the_same_bits_again() -> None:
    parts = [torch.randn(40, 8), torch.randn(50, 8), torch.randn(40, 50)]
    mask = torch.arange(40) % 3 > 0
    torch.use_deterministic_algorithms(True)
    try:
        runs = []
        for _ in range(2):
            mine = leaves(*parts)
            loss = kb.loss(kb.js, Head(*mine[:2]), mine[2], mask=mask, engine=Engine(memory=4000))
            runs.append([loss, *gradients(loss, mine)])
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_L23_autocast(dtype: torch.dtype) -> None:
    """The divergence stays single; a head's products are as every other matrix product there."""
    student, teacher = logits(generator(16), (6, 20), 0.01)
    parts = [dyadic(generator(17), 6, 4), dyadic(generator(18), 20, 4)]
    mine = leaves(student, teacher)
    with torch.autocast("cpu", dtype=dtype):
        inside = kb.loss(kb.kl, *mine)
        of_head = kb.loss(kb.kl, Head(*parts), teacher)
    outside = kb.loss(kb.kl, *mine)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, outside)
    assert all(
        torch.equal(a, b) for a, b in zip(gradients(inside, mine), gradients(outside, mine), strict=True)
    )
    rounded = (parts[0].to(dtype) @ parts[1].to(dtype).T).float()
    assert of_head.item() == pytest.approx(kb.loss(kb.kl, rounded, teacher).item(), rel=1e-6)
