"""Teachers known by their largest classes: held against the definition on those classes, in value and gradient."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import mpmath
import pytest
import torch
from torch import Tensor

import kullback as kb
from kullback.errors import DTypeError, InvalidInputError, ShapeError, UnsupportedPairError
from kullback.losses import Head, Rest, TopK, bracket
from problems.listed import USERS

NOUNS = [*kb.catalogue(), *USERS, kb.renyi(2), kb.renyi(0.5)]
CLASSES, ROWS, K = 13, 5, 4


def drawn(seed: int, *shape: int, spread: float = 1.0) -> Tensor:
    return spread * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pair(seed: int = 0) -> tuple[Tensor, Tensor]:
    return drawn(seed, ROWS, CLASSES).requires_grad_(), drawn(seed + 1, ROWS, CLASSES, spread=2.0)


def narrowed(z: Tensor, ids: Tensor) -> Tensor:
    """The named masses and the sum of the others, as probabilities."""
    p = torch.softmax(z, -1)
    return torch.cat([p.gather(-1, ids), p.scatter(-1, ids, 0.0).sum(-1, keepdim=True)], -1)


def gradient(total: Tensor, x: Tensor, again: bool = False) -> Tensor:
    return torch.autograd.grad(total, x, create_graph=again)[0]


@pytest.mark.parametrize("d", NOUNS, ids=repr)
def test_bucket_is_the_divergence_of_the_narrow_vectors(d: kb.Divergence) -> None:
    student, logits = pair()
    teacher, weight = TopK.of_logits(logits, K), drawn(2, ROWS).abs()
    wanted = d(narrowed(logits, teacher.ids), narrowed(student, teacher.ids))
    towards = gradient((weight * wanted).sum(), student)
    found = kb.per_token(d, student, teacher)
    scale = towards.abs().max().item()
    torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-13)
    near = {"rtol": 1e-9, "atol": 1e-11 * scale}
    torch.testing.assert_close(gradient((weight * found).sum(), student), towards, **near)
    total = kb.loss(d, student, teacher, weight=weight, denominator=1.0)
    torch.testing.assert_close(total, (weight * wanted).sum(), rtol=1e-11, atol=1e-13)
    again = gradient(total, student, again=True)
    torch.testing.assert_close(again, towards, **near)
    assert again.requires_grad


@pytest.mark.parametrize("d", NOUNS, ids=repr)
def test_bucket_is_never_negative_and_never_above_all_classes(d: kb.Divergence) -> None:
    student, logits = drawn(3, 200, CLASSES, spread=1.5), drawn(4, 200, CLASSES, spread=3.0)
    full = kb.per_token(d, student, logits)
    before = torch.zeros_like(full)
    for k in (1, 2, 5, CLASSES - 1, CLASSES):
        found = kb.per_token(d, student, TopK.of_logits(logits, k))
        assert (found >= before * (1 - 1e-10) - 1e-14).all()  # and it grows as more classes are named
        before = found
        assert (found <= full * (1 + 1e-10) + 1e-14).all()
    torch.testing.assert_close(before, full, rtol=1e-10, atol=1e-14)  # all classes named


def test_no_divergence_from_itself() -> None:
    _, logits = pair()
    for d in NOUNS:
        assert (kb.per_token(d, logits, TopK.of_logits(logits, K)) < 1e-15).all()


@pytest.mark.parametrize("d", [kb.kl, kb.reverse_kl, kb.js, kb.total_variation, kb.pearson_chi2], ids=repr)
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_other_rests_are_dense_teachers(d: kb.FDivergence, temperature: float) -> None:
    student, logits = pair(5)
    teacher = TopK.of_logits(logits, K)
    log_p, ids = teacher.log_probs, teacher.ids
    nothing = torch.full((ROWS, CLASSES), -math.inf, dtype=torch.float64)
    even = (teacher.tail() - math.log(CLASSES - K))[:, None].expand(-1, CLASSES)
    outside = torch.ones(ROWS, CLASSES, dtype=torch.bool).scatter(-1, ids, False)
    dense = {
        Rest.TRUNCATED: (student, nothing.scatter(-1, ids, log_p)),
        Rest.UNIFORM: (student, even.scatter(-1, ids, log_p)),
        Rest.CONDITIONAL: (student.masked_fill(outside, -math.inf), nothing.scatter(-1, ids, log_p)),
    }
    for rest, (mine, other) in dense.items():
        wanted = kb.per_token(d, mine, other, temperature=temperature)
        found = kb.per_token(d, student, replace(teacher, rest=rest), temperature=temperature)
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)
        if bool(torch.isfinite(wanted).all()):
            ends = [gradient(x.sum(), student) for x in (found, wanted)]
            torch.testing.assert_close(*ends, rtol=1e-9, atol=1e-11)
            ends = [
                gradient(
                    kb.loss(d, student, replace(teacher, rest=rest), temperature=temperature), student, x
                )
                for x in (True, False)
            ]
            torch.testing.assert_close(*ends, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("rest", Rest)
def test_heads_masks_and_chunks(rest: Rest) -> None:
    hidden, weight = drawn(6, 2, 6, 3).requires_grad_(), drawn(7, CLASSES, 3).requires_grad_()
    bias = drawn(8, CLASSES).requires_grad_()
    teacher = replace(TopK.of_logits(drawn(9, 2, 6, CLASSES), K), rest=rest)
    mask = torch.tensor([[1, 1, 0, 1, 0, 1], [0, 1, 1, 1, 1, 0]])
    ends = []
    for capped in (None, 2.0):
        head = Head(hidden, weight, bias, scale=0.7, softcap=capped)
        dense = kb.loss(kb.js, head.logits(), teacher, mask=mask, per="sequence")
        for memory in (1, 1 << 20):
            fused = kb.loss(kb.js, head, teacher, mask=mask, per="sequence", engine=kb.Engine(memory=memory))
            ends = [torch.autograd.grad(x, (hidden, weight, bias), retain_graph=True) for x in (dense, fused)]
            torch.testing.assert_close(fused, dense, rtol=1e-12, atol=0)
            torch.testing.assert_close(*ends, rtol=1e-10, atol=1e-13)
    assert ends[1][0][0, 2].abs().max() == 0  # a row that does not count
    rows = mask.reshape(-1).nonzero()[:, 0]
    few = replace(
        teacher[0], **{n: getattr(teacher, n).flatten(0, 1)[rows] for n in ("ids", "log_probs", "log_tail")}
    )
    ends = [
        kb.loss(kb.js, head.logits().flatten(0, 1)[rows], few),
        kb.loss(kb.js, head.logits(), teacher, mask=mask),
    ]
    torch.testing.assert_close(*ends, rtol=1e-12, atol=0)
    pulled = [gradient(x, weight) for x in ends]
    torch.testing.assert_close(*pulled, rtol=1e-10, atol=1e-13)


def test_places_left_over_name_no_class() -> None:
    student, logits = pair(10)
    plain = TopK.of_logits(logits, 2)
    ids = torch.cat([plain.ids, torch.full((ROWS, 2), -1)], -1)
    log_probs = torch.cat([plain.log_probs, torch.full((ROWS, 2), 0.3)], -1)  # what stands there is not read
    for rest in Rest:
        few = replace(plain, rest=rest)
        wide = replace(few, ids=ids, log_probs=log_probs)
        wanted, found = (kb.per_token(kb.kl, student, x) for x in (few, wide))
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=0)
        torch.testing.assert_close(
            *(gradient(x.sum(), student) for x in (wanted, found)), rtol=1e-12, atol=1e-15
        )
    torch.testing.assert_close(wide.captured, plain.captured)
    # a class of no mass may be named twice by what is stored, and a row may name none at all
    blank = TopK(torch.zeros(ROWS, 3, dtype=torch.int32), torch.full((ROWS, 3), -math.inf), CLASSES)
    assert kb.per_token(kb.kl, student, blank).abs().max() == 0
    assert blank.captured.max() == 0
    with pytest.raises(InvalidInputError, match="nothing to renormalise"):
        kb.loss(kb.kl, student, replace(blank, rest=Rest.TRUNCATED))


def test_all_classes_named() -> None:
    student, logits = drawn(16, 200, CLASSES), drawn(17, 200, CLASSES)
    log_p, ids = torch.log_softmax(logits, -1).sort(-1)
    every = TopK(ids, log_p, CLASSES)  # rounding must not leave a class that is not there with a mass
    torch.testing.assert_close(kb.per_token(kb.kl, student, every), kb.per_token(kb.kl, student, logits))
    assert every.tail().max() == -math.inf


def test_masked_classes_of_the_student() -> None:
    logits = drawn(11, ROWS, CLASSES)
    teacher = TopK.of_logits(logits, K)
    outside = torch.ones(ROWS, CLASSES, dtype=torch.bool).scatter(-1, teacher.ids, False)
    student = drawn(12, ROWS, CLASSES).masked_fill(outside, -math.inf).requires_grad_()
    assert kb.per_token(kb.kl, student, teacher).isinf().all()  # the rest has no mass in the student
    value = kb.loss(kb.reverse_kl, student, teacher)
    for again in (True, False):
        assert gradient(value, student, again=again).isfinite().all()
    one = drawn(12, ROWS, CLASSES).masked_fill(~outside, -math.inf).requires_grad_()
    assert kb.per_token(kb.kl, one, teacher).isinf().all()
    assert gradient(kb.loss(kb.js, one, teacher), one).isfinite().all()


def test_the_tail_keeps_its_digits() -> None:
    log_probs = torch.tensor([[-1e-12, -40.0], [-0.7, -0.9], [-30.0, -35.0]], dtype=torch.float64)
    found = TopK(torch.tensor([[0, 1]] * 3), log_probs, 9).tail()
    with mpmath.workdps(50):
        for row, tail in zip(log_probs.tolist(), found.tolist(), strict=True):
            exact = mpmath.log(1 - sum(mpmath.exp(x) for x in row))
            assert abs(tail - exact) <= 1e-14 * (1 + abs(exact))
    logits = torch.tensor([[40.0, 39.0, 0.0, 1.0]])
    exact = math.log((1 + math.e) / (math.exp(40) + math.exp(39) + 1 + math.e))
    assert float(TopK.of_logits(logits, 2).tail()[0]) == pytest.approx(exact, rel=1e-6)  # recorded with it
    above = torch.tensor([[0.75, 0.25 + 3e-6]]).log()
    teacher = TopK(torch.tensor([[0, 1]]), above, 3)
    assert teacher.tail().item() == -math.inf
    student = torch.tensor([[0.75, 0.25, -math.inf]])
    student[0, :2] = student[0, :2].log()
    assert 0 <= float(kb.loss(kb.kl, student, teacher)) < 1e-10


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32])
def test_precisions(kind: torch.dtype) -> None:
    student, logits = pair(13)
    teacher = TopK.of_logits(logits, K)
    stored = replace(teacher, log_probs=teacher.log_probs.to(kind), ids=teacher.ids.to(torch.int32))
    wide = replace(stored, log_probs=stored.log_probs.double())
    mine = student.detach().to(kind).requires_grad_()
    wanted = kb.loss(kb.kl, mine.double(), wide)
    found = kb.loss(kb.kl, mine, stored)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), wanted, rtol=2e-6, atol=0)
    assert gradient(found, mine).dtype == kind
    # a head of one precision under a teacher of another
    head = Head(drawn(17, ROWS, 3).float().requires_grad_(), drawn(18, CLASSES, 3).float(), softcap=5.0)
    for rest in Rest:
        mixed = kb.loss(kb.kl, head, replace(teacher, rest=rest))
        assert gradient(mixed, head.hidden).dtype == torch.float32
        torch.testing.assert_close(
            mixed.double(), kb.loss(kb.kl, head.logits().double(), replace(teacher, rest=rest))
        )


def worst(d: kb.Divergence, q: Tensor, teacher: TopK) -> float:
    """By trying every corner of the possible tails: each class empty, full, or the one that takes what is left."""
    ids, named = teacher.ids[0].tolist(), teacher.log_probs[0].exp()
    others = [i for i in range(len(q)) if i not in ids]
    tail, cap = 1 - float(named.sum()), float(named.min())
    full = int(tail / cap)
    best = 0.0
    for chosen in itertools.combinations(others, full):
        for last in set(others) - set(chosen):
            p = torch.zeros_like(q)
            p[ids] = named
            p[list(chosen)] = cap
            p[last] = tail - full * cap
            best = max(best, float(d(p, q, normalize=True)))
    return best


@pytest.mark.parametrize("d", NOUNS, ids=repr)
def test_the_upper_end_is_the_worst_tail(d: kb.Divergence) -> None:
    for seed in range(3):
        teacher = TopK.of_logits(drawn(seed + 20, 1, 7), 2)
        z = drawn(seed + 30, 1, 7)
        high = float(bracket(d, z, teacher).high[0])
        assert high == pytest.approx(worst(d, torch.softmax(z[0], -1), teacher), rel=1e-9)


@pytest.mark.parametrize(
    ("d", "temperature"),
    [
        *((d, 1.0) for d in (kb.kl, kb.reverse_kl, kb.js, kb.renyi(2))),
        (kb.kl, 0.6),
        (kb.total_variation, 3.0),
    ],
)
def test_the_bracket_holds_the_divergence(d: kb.Divergence, temperature: float) -> None:
    student, logits = drawn(40, 60, CLASSES), drawn(41, 60, CLASSES, spread=3.0)
    full = kb.per_token(d, student, logits, temperature=temperature)
    width = torch.full_like(full, math.inf)
    for k in (1, 3, CLASSES - 1, CLASSES):
        teacher = TopK.of_logits(logits, k)
        found = bracket(d, student, teacher, temperature=temperature)
        assert (found.low <= full * (1 + 1e-10) + 1e-14).all()
        assert (found.high >= full * (1 - 1e-10)).all()
        width = found.high - found.low
        torch.testing.assert_close(found.captured, torch.softmax(logits, -1).topk(k).values.sum(-1))
    assert width.max() < 1e-9  # everything is known
    hidden, weight = drawn(42, 3, 2, 4), drawn(43, CLASSES, 4)
    head, few = Head(hidden, weight), TopK.of_logits(drawn(44, 3, 2, CLASSES), 3)
    ends = [bracket(d, x, few, temperature=temperature) for x in (head, head.logits())]
    torch.testing.assert_close(ends[0].high, ends[1].high)
    assert ends[0].low.shape == (3, 2)


def test_recorded_at_the_temperature_of_the_loss() -> None:
    student, logits = pair(14)
    hot = TopK.of_logits(logits, K, temperature=2.0)
    wanted = kb.per_token(kb.kl, student / 2.0, TopK.of_logits(logits / 2.0, K))
    torch.testing.assert_close(kb.per_token(kb.kl, student, hot, temperature=2.0), wanted)
    with pytest.raises(InvalidInputError, match="recorded at temperature 2"):
        kb.loss(kb.kl, student, hot)


def test_refusals() -> None:
    student, logits = pair(15)
    good = TopK.of_logits(logits, K)
    wrong = [
        ({"ids": good.ids + CLASSES}, InvalidInputError, "tokenizer"),
        ({"ids": torch.zeros_like(good.ids)}, InvalidInputError, "twice"),
        ({"ids": good.ids.double()}, DTypeError, "whole numbers"),
        ({"ids": good.ids[:, :2]}, ShapeError, "expected"),
        ({"log_probs": good.log_probs.exp()}, InvalidInputError, "above 1"),
        ({"log_probs": good.log_probs * math.nan}, InvalidInputError, "NaN"),
        ({"log_probs": good.log_probs.clone().requires_grad_()}, InvalidInputError, "gradient"),
        ({"log_tail": good.ids[:, 0].double()[:2]}, ShapeError, "one for every token"),
        ({"log_tail": torch.ones(ROWS)}, InvalidInputError, "above 0"),
        ({"rest": "bucket"}, InvalidInputError, "Rest.BUCKET"),
        ({"temperature": 0.0}, InvalidInputError, "above 0"),
    ]
    for change, error, text in wrong:
        with pytest.raises(error, match=text):
            replace(good, **change)
    with pytest.raises(DTypeError, match="`student` is a TopK"):
        kb.loss(kb.kl, good, student)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="aligned"):
        kb.loss(kb.kl, student[:, 1:], good)
    with pytest.raises(InvalidInputError, match="pass a number"):
        kb.loss(kb.kl, student, good, temperature=torch.tensor(1.0))
    with pytest.raises(UnsupportedPairError, match="bound nothing"):
        bracket(kb.cauchy_schwarz, student, good)
    small = TopK(torch.tensor([[0]]), torch.tensor([[0.01]]).log(), 3)
    with pytest.raises(InvalidInputError, match="not the teacher's largest"):
        bracket(kb.kl, torch.zeros(1, 3), small)
