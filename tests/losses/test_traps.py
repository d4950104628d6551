"""Mistakes that other losses are known for, each shown where torch itself makes it, and not made by kb.loss."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

import kullback as kb
from kullback import Engine, Head
from kullback.losses import aligned
from losses.definitions import dyadic, gradients, leaves, logits, relative, truth, wide
from problems.listed import KINDS

INF = math.inf
ROUNDED = 2e-6
TEACHER, STUDENT = torch.tensor([[1.0, 0.2, 0.3, 2.0]]), torch.tensor([[0.5, 0.0, 0.1, 2.5]])

every_kind = pytest.mark.parametrize("d", KINDS, ids=repr)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def masked(z: Tensor, place: int = 1) -> Tensor:
    return z.clone().index_fill_(-1, torch.tensor([place]), -INF)


def kl_by_torch(student: Tensor, teacher: Tensor, reduction: str = "sum", log_target: bool = True) -> Tensor:
    target = teacher.log_softmax(-1) if log_target else teacher.softmax(-1)
    return F.kl_div(student.log_softmax(-1), target, reduction=reduction, log_target=log_target)


def finite(d: Any, student: Tensor, teacher: Tensor) -> Tensor:
    """The loss, once it and its gradients have been seen to be finite."""
    mine = leaves(student, teacher)
    loss = kb.loss(d, *mine)
    assert all(x.isfinite().all() for x in (loss, *gradients(loss, mine)))
    return loss.detach()


# torch.nn.functional.kl_div ---------------------------------------------------------------------------------------


def test_kl_div_a_masked_teacher_under_log_target_is_nan() -> None:
    teacher = masked(TEACHER)
    assert kl_by_torch(STUDENT, teacher).isnan()
    p = teacher[0, [0, 2, 3]].double().log_softmax(-1)
    wanted = (p.exp() * (p - STUDENT[0, [0, 2, 3]].double() + STUDENT[0].double().logsumexp(0))).sum()
    assert float(finite(kb.kl, STUDENT, teacher)) == pytest.approx(float(wanted), rel=ROUNDED)


@pytest.mark.parametrize("log_target", [True, False])
def test_kl_div_a_class_masked_on_both_sides_is_nan(log_target: bool) -> None:
    sides = masked(STUDENT), masked(TEACHER)
    assert kl_by_torch(*sides, log_target=log_target).isnan()
    wanted = truth(kb.kl, *(z[:, [0, 2, 3]] for z in (STUDENT, TEACHER)))
    assert float(finite(kb.kl, *sides)) == pytest.approx(float(wanted), rel=ROUNDED)


def test_kl_div_the_other_direction_of_a_masked_student_has_nan_for_gradients() -> None:
    student = masked(STUDENT).requires_grad_()
    by_torch = kl_by_torch(TEACHER, student)
    assert by_torch.isnan()
    assert gradients(by_torch, [student])[0].isnan().all()
    loss = finite(kb.reverse_kl, student.detach(), TEACHER)
    q = student.detach()[0, [0, 2, 3]].double().log_softmax(-1)
    wanted = (q.exp() * (q - TEACHER[0].double().log_softmax(-1)[[0, 2, 3]])).sum()
    assert float(loss) == pytest.approx(float(wanted), rel=ROUNDED)


def test_kl_div_the_gradient_of_a_teacher_with_a_zero_is_nan() -> None:
    teacher = masked(TEACHER).requires_grad_()
    assert gradients(kl_by_torch(STUDENT, teacher, log_target=False), [teacher])[0].isnan().any()
    finite(kb.kl, STUDENT, teacher.detach())


@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
def test_kl_div_mean_divides_by_the_vocabulary() -> None:
    student, teacher = logits(generator(1), (8, 16, 1000), 1.0)
    loss = kb.loss(kb.kl, student, teacher)
    assert loss.item() == pytest.approx(truth(kb.kl, student, teacher).mean().item(), rel=ROUNDED)
    assert kl_by_torch(student, teacher, "mean").item() == pytest.approx(loss.item() / 1000, rel=1e-4)


def test_kl_div_batchmean_divides_by_the_first_axis_alone() -> None:
    student, teacher = logits(generator(2), (8, 16, 100), 1.0)
    loss = kb.loss(kb.kl, student, teacher)
    assert kl_by_torch(student, teacher, "batchmean").item() == pytest.approx(16 * loss.item(), rel=1e-4)
    assert kb.loss(kb.kl, student, teacher, per="batch").item() == pytest.approx(16 * loss.item(), rel=1e-6)


def test_kl_div_probabilities_for_log_probabilities_are_negative_without_a_word() -> None:
    p, q = TEACHER.softmax(-1), STUDENT.softmax(-1)
    assert F.kl_div(q, p, reduction="sum") < 0
    assert kb.loss(kb.kl, q, p) >= 0
    assert [finding.name for finding in kb.check_loss(q, p).findings] == ["probabilities"] * 2


def test_kl_div_swapped_arguments_give_a_plausible_number() -> None:
    """Slots have names here, and a number from elsewhere tells its direction."""
    swapped = kl_by_torch(TEACHER, STUDENT).item()
    loss = kb.loss(kb.kl, teacher=TEACHER, student=STUDENT)
    assert loss.item() == pytest.approx(kl_by_torch(STUDENT, TEACHER).item(), rel=1e-5)
    found = kb.check_loss(STUDENT, TEACHER, value=swapped).findings
    assert "D(student‖teacher)" in found[0].seen


def test_kl_div_second_derivatives() -> None:
    """Those of the values, and no error of an engine that has made its gradients already."""
    mine = wide(masked(STUDENT, 3), TEACHER)
    for d in (kb.kl, kb.js):
        assert torch.autograd.gradgradcheck(lambda s, t, d=d: kb.loss(d.dual, s, t), wide(STUDENT, TEACHER))
        (first,) = torch.autograd.grad(kb.loss(d.dual, *mine), mine[:1], create_graph=True)
        assert all(g.isfinite().all() for g in gradients(first.square().sum(), mine))


# Fused kernels ----------------------------------------------------------------------------------------------------


class Largest(TorchDispatchMode):
    """The number of elements of the largest tensor that is made."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for x in made if isinstance(made, (tuple, list)) else [made]:
            if isinstance(x, Tensor) and x.numel() == x.untyped_storage().nbytes() // x.element_size():
                self.elements = max(self.elements, x.numel())
        return made


@every_kind
def test_logits_of_all_tokens_are_never_in_memory(d: kb.FDivergence) -> None:
    """Nor a buffer of losses of their size, forwards or backwards, for a scalar or for rows."""
    tokens, classes = 512, 300
    parts = [torch.randn(*shape) for shape in ((tokens, 4), (classes, 4), (tokens, 3), (classes, 3))]
    mine, engine = leaves(*parts), Engine(memory=16 * 2 * classes * 4)
    for verb in (kb.loss, kb.per_token):
        with Largest() as seen:
            verb(d, Head(*mine[:2]), Head(*mine[2:]), engine=engine).sum().backward()
        assert 0 < seen.elements <= 16 * classes


def test_js_where_both_masses_vanish() -> None:
    """M log M with M = 0, once both log-probabilities are below −104 in single precision."""
    student, teacher = torch.tensor([[0.0, -120.0, -110.0]]), torch.tensor([[0.5, -115.0, -130.0]])
    for d in (kb.js, kb.skew_js(0.1), kb.skew_js(0.9)):
        finite(d, student, teacher)
        finite(d, masked(student), masked(teacher))


def test_a_larger_vocabulary_is_not_padded_with_zeros() -> None:
    """A logit of 0 is a class with mass; −inf is none."""
    student, teacher = logits(generator(3), (4, 10), 1.0)
    with pytest.raises(kb.ShapeError, match="the student has 8 classes and the teacher 10"):
        kb.loss(kb.js, student[:, :8], teacher)
    padded, whole = aligned(student[:, :8], teacher)
    with_zeros = F.pad(student[:, :8], (0, 2))
    loss = kb.loss(kb.js, padded, whole).item()  # type: ignore[arg-type]
    assert loss != pytest.approx(kb.loss(kb.js, with_zeros, teacher).item(), rel=1e-2)
    p, q = teacher.double().softmax(-1), student[:, :8].double().softmax(-1)
    m = (p[:, :8] + q) / 2
    apart = 0.5 * (p[:, :8] * (p[:, :8] / m).log() + q * (q / m).log()).sum(-1)
    wanted = (apart + 0.5 * math.log(2) * p[:, 8:].sum(-1)).mean()
    assert loss == pytest.approx(wanted.item(), rel=ROUNDED)


@every_kind
def test_rows_that_do_not_count_are_left_out_before_the_arithmetic(d: kb.FDivergence) -> None:
    """An infinite hidden state times 0 is NaN in dW."""
    labels = torch.tensor([3, -100, 1])
    parts = [dyadic(generator(4), 3, 4), dyadic(generator(5), 6, 4), torch.randn(3, 6)]
    parts[0][1], parts[2][1, 2] = INF, -INF
    mine = leaves(*parts)
    loss = kb.loss(d, Head(*mine[:2]), mine[2], labels=labels)
    found = gradients(loss, mine)
    assert all(g.isfinite().all() for g in found)
    assert (found[0][1] == 0).all()
    assert (found[2][1] == 0).all()
    keep = [0, 2]
    wanted = kb.loss(d, Head(parts[0][keep], parts[1]), parts[2][keep])
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-6)


def test_total_variation_pulls_nowhere_where_both_agree() -> None:
    mine = leaves(STUDENT, STUDENT)
    assert all((g == 0).all() for g in gradients(kb.loss(kb.total_variation, *mine), mine))


@every_kind
def test_there_is_no_hidden_weight_and_no_cross_entropy_in_it(d: kb.FDivergence) -> None:
    """Student and teacher equal: 0, whatever the labels say."""
    z = torch.randn(4, 9, generator=generator(6))
    mine = leaves(z, z)
    loss = kb.loss(d, *mine, labels=torch.tensor([1, -100, 3, 5]))
    assert loss.item() == 0
    assert all((g == 0).all() for g in gradients(loss, mine))


# Chunks, masks and infinities -------------------------------------------------------------------------------------


def test_a_batch_without_labels_can_be_stepped() -> None:
    for d in KINDS:
        student = STUDENT.clone().requires_grad_()
        kb.loss(d, student, TEACHER, labels=torch.tensor([-100])).backward()
        assert (student.grad == 0).all()  # type: ignore[union-attr]


def test_infinite_entries_are_neither_dropped_nor_nan() -> None:
    assert kb.loss(kb.kl, masked(STUDENT), TEACHER) == INF
    assert kb.loss(kb.reverse_kl, STUDENT, masked(TEACHER)) == INF
    for d, sides in ((kb.reverse_kl, (masked(STUDENT), TEACHER)), (kb.kl, (STUDENT, masked(TEACHER)))):
        finite(d, *sides)


@every_kind
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 7, 8])
def test_ten_tokens_in_chunks_of_any_size(d: kb.FDivergence, rows: int) -> None:
    parts = [dyadic(generator(7), 10, 4), dyadic(generator(8), 6, 4), logits(generator(9), (10, 6), 1.0)[1]]
    labels = torch.tensor([0, 1, -100, 2, 3, -100, 4, 5, 0, -100])
    mine, true = leaves(*parts), wide(*parts)
    loss = kb.loss(d, Head(*mine[:2]), mine[2], labels=labels, engine=Engine(memory=rows * 6 * 4))
    wanted = truth(d, true[0] @ true[1].T, true[2])[labels != -100].mean()
    assert loss.item() == pytest.approx(wanted.item(), rel=ROUNDED)
    for got, other in zip(gradients(loss, mine), gradients(wanted, true), strict=True):
        assert relative(got, other) <= ROUNDED


def test_sentinels_of_padding_do_not_leak_backwards() -> None:
    student, teacher = logits(generator(10), (2, 3, 6), 1.0)
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]], dtype=torch.bool)
    student[~mask], teacher[~mask] = -INF, -INF
    mine = leaves(student, teacher)
    assert all(g.isfinite().all() for g in gradients(kb.loss(kb.kl, *mine, mask=mask), mine))


def test_padding_that_is_not_masked_is_named() -> None:
    student, teacher = logits(generator(11), (2, 3, 6), 1.0)
    student[:, 2], teacher[:, 2] = 0.0, 0.0
    assert [finding.name for finding in kb.check_loss(student, teacher).findings] == ["padding"]


@pytest.mark.parametrize("gap", [60.0, 100.0, 600.0])
def test_large_log_ratios_neither_overflow_nor_stall(gap: float) -> None:
    """Where exp of a log-ratio is 1e43 and more, and both sides of a difference infinite."""
    student, teacher = torch.tensor([[0.0, gap]]), torch.tensor([[gap, 0.0]])
    for d in (kb.kl, kb.reverse_kl, kb.jeffreys, kb.js, kb.alpha(0.3)):
        mine = leaves(student, teacher)
        loss = kb.loss(d, *mine)
        assert math.isfinite(loss.item())
        assert all(g.isfinite().all() for g in gradients(loss, mine))
    pull = gradients(kb.loss(kb.kl, *(mine := leaves(student, teacher))), mine)[0]
    assert pull.tolist() == [[-1.0, 1.0]]


# Precision --------------------------------------------------------------------------------------------------------


def test_the_parameter_is_not_rounded_to_the_type_of_the_logits() -> None:
    halves = [z.to(torch.bfloat16) for z in (STUDENT, TEACHER)]
    wanted = truth(kb.skew_js(0.1), *halves).item()
    assert kb.loss(kb.skew_js(0.1), *halves).item() == pytest.approx(wanted, rel=ROUNDED)


def test_half_precision_never_changes_the_sign() -> None:
    """128 256 classes, near equality: the divergence of the logits as they were rounded, to seven digits."""
    student = 2.0 * torch.randn(4, 128_256, generator=generator(12))
    teacher = student + 0.01 * torch.randn(4, 128_256, generator=generator(13))
    halves = [z.to(torch.bfloat16) for z in (student, teacher)]
    noisy = (halves[1].softmax(-1) * (halves[1].log_softmax(-1) - halves[0].log_softmax(-1))).sum(-1)
    wanted = truth(kb.kl, *halves)
    assert ((noisy.double() - wanted).abs() > wanted).any()
    assert relative(kb.per_token(kb.kl, *halves), wanted) <= ROUNDED


@pytest.mark.parametrize("delta", [1e-3, 1e-4])
def test_small_divergences_in_single_precision_are_no_noise(delta: float) -> None:
    student = torch.randn(4, 32_000, generator=generator(14))
    teacher = student + delta * torch.randn(4, 32_000, generator=generator(15))
    plain = (teacher.softmax(-1) * (teacher.log_softmax(-1) - student.log_softmax(-1))).sum(-1)
    wanted = truth(kb.kl, student, teacher)
    assert relative(plain, wanted) > 1e-2
    assert relative(kb.per_token(kb.kl, student, teacher), wanted) <= ROUNDED


def test_a_sum_over_many_rows_keeps_its_digits() -> None:
    student, teacher = logits(generator(16), (400_000, 2), 1.0)
    wanted = kb.per_token(kb.kl, student, teacher).double().mean().item()
    assert kb.loss(kb.kl, student, teacher).item() == pytest.approx(wanted, rel=1e-7)


# Scale ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_square_of_the_temperature_is_there_when_it_is_asked_for(temperature: float) -> None:
    plain = kb.loss(kb.kl, STUDENT, TEACHER, temperature=temperature)
    squared = kb.loss(kb.kl, STUDENT, TEACHER, temperature=temperature, squared_temperature=True)
    assert squared.item() == pytest.approx(plain.item() * temperature**2, rel=1e-6)


def test_gradients_that_accumulate_over_batches_of_unequal_length() -> None:
    """A mean of means weighs tokens of short batches more; one denominator does not."""
    student, teacher = logits(generator(17), (6, 8), 1.0)
    whole, parts = (student.clone().requires_grad_() for _ in range(2))
    kb.loss(kb.kl, whole, teacher).backward()
    for piece in (slice(0, 5), slice(5, 6)):
        kb.loss(kb.kl, parts[piece], teacher[piece], denominator=6).backward()
    torch.testing.assert_close(parts.grad, whole.grad, rtol=1e-6, atol=1e-8)


def test_one_row_counts_as_much_in_every_average() -> None:
    rows = STUDENT.reshape(1, 1, -1), TEACHER.reshape(1, 1, -1)
    averages: list[Any] = ["token", "sequence", "batch"]
    assert len({kb.loss(kb.kl, *rows, per=per).item() for per in averages}) == 1
