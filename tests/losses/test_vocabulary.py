"""Padded vocabularies and vocabularies of two tokenizers: against the distributions written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import kullback as kb
from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.losses import Head, TopK, VocabularyMap, aligned

NOUNS = [kb.kl, kb.reverse_kl, kb.js, kb.total_variation, kb.alpha(0.3), kb.pearson_chi2]


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("d", NOUNS, ids=repr)
@pytest.mark.parametrize("sizes", [(5, 8), (8, 5)])
def test_padding_adds_classes_without_mass(d: kb.FDivergence, sizes: tuple[int, int]) -> None:
    student, teacher = drawn(0, 4, sizes[0]).requires_grad_(), drawn(1, 4, sizes[1])
    masses = [torch.nn.functional.pad(torch.softmax(x, -1), (0, 8 - x.shape[-1])) for x in (teacher, student)]
    found = kb.per_token(d, *aligned(student, teacher))
    torch.testing.assert_close(found, d(*masses))
    hidden, weight = drawn(2, 4, 3).requires_grad_(), drawn(3, sizes[0], 3).requires_grad_()
    bias = drawn(4, sizes[0]).requires_grad_()
    for tensors in ((hidden, weight), (hidden, weight, bias)):
        head = Head(*tensors)
        ends = [kb.loss(d, *aligned(x, teacher)) for x in (head, head.logits())]
        torch.testing.assert_close(*ends)
        if bool(ends[0].isfinite()):
            torch.testing.assert_close(
                *(torch.autograd.grad(x, tensors) for x in ends), rtol=1e-9, atol=1e-12
            )


def test_padding_a_teacher_of_few_classes() -> None:
    logits, student = drawn(5, 4, 6), drawn(6, 4, 9)
    teacher = TopK.of_logits(logits, 6)
    wanted = kb.per_token(kb.js, *aligned(student, logits))
    torch.testing.assert_close(kb.per_token(kb.js, *aligned(student, teacher)), wanted)
    assert aligned(student, student)[0] is student
    with pytest.raises(InvalidInputError, match=r"weight\[:6\]"):
        aligned(Head(drawn(7, 4, 2), drawn(8, 6, 2), softcap=3.0), student)
    with pytest.raises(InvalidInputError, match="negative scale"):
        aligned(Head(drawn(7, 4, 2), drawn(8, 6, 2), scale=-1.0), student)
    with pytest.raises(DTypeError, match="`teacher` is a list"):
        aligned(student, [])  # type: ignore[arg-type]


@pytest.fixture
def shared() -> VocabularyMap:
    return VocabularyMap({0: 4, 1: 4, 2: 1, 5: [1, 2, 6]}, teacher=7, student=8)


def matrix(shared: VocabularyMap) -> tuple[Tensor, Tensor]:
    """The two channels written out: classes 1, 2, 4, 6 of the student, then the rest."""
    teacher, student = torch.zeros(7, 5, dtype=torch.float64), torch.zeros(8, 5, dtype=torch.float64)
    for source, target, share in [(0, 2, 1), (1, 2, 1), (2, 0, 1), (3, 4, 1), (4, 4, 1), (6, 4, 1)]:
        teacher[source, target] = share
    teacher[5, [0, 1, 3]] = 1 / 3
    for source, target in [(1, 0), (2, 1), (4, 2), (6, 3), (0, 4), (3, 4), (5, 4), (7, 4)]:
        student[source, target] = 1.0
    return teacher, student


def test_maps_are_matrices(shared: VocabularyMap) -> None:
    assert (shared.shared, shared.rest, shared.classes) == ((1, 2, 4, 6), 4, 5)
    assert repr(shared) == "VocabularyMap(7 and 8 classes, 4 shared and a rest)"
    teacher, student = drawn(9, 2, 3, 7), drawn(10, 2, 3, 8).requires_grad_()
    by_matrix = [torch.softmax(x, -1) @ m for x, m in zip((teacher, student), matrix(shared), strict=True)]
    mapped = shared.of_teacher(teacher), shared.of_student(student)
    for found, wanted in zip(mapped, by_matrix, strict=True):
        torch.testing.assert_close(torch.softmax(found, -1), wanted)
    for d in NOUNS:
        ends = kb.per_token(d, mapped[1], mapped[0]), d(*by_matrix)
        torch.testing.assert_close(*ends)
        pulled = [torch.autograd.grad(x.sum(), student, retain_graph=True)[0] for x in ends]
        torch.testing.assert_close(*pulled)


def test_sums_are_exact_where_one_side_is_large() -> None:
    shared = VocabularyMap({0: 0, 1: 0}, teacher=3, student=1)
    z = torch.tensor([[1000.0, -1000.0, -math.inf], [-1e4, -1e4, 0.0]], requires_grad=True)
    found = shared.of_teacher(z)
    assert found.tolist() == [[1000.0, -math.inf], [pytest.approx(-1e4 + math.log(2)), 0.0]]
    masked = found.isneginf()
    (pulled,) = torch.autograd.grad(torch.where(masked, 0.0, found).sum(), z)
    assert pulled.tolist() == [[1.0, 0.0, 0.0], [0.5, 0.5, 1.0]]


def test_processing_never_adds() -> None:
    own = VocabularyMap({i: i % 3 for i in range(9)}, teacher=9, student=9)  # one alphabet, coarsened by both
    p, q = drawn(11, 50, 9), drawn(12, 50, 9)
    for d in NOUNS:
        coarse = kb.per_token(d, own.of_teacher(q), own.of_teacher(p))
        assert (coarse >= 0).all()
        assert (coarse <= kb.per_token(d, q, p) + 1e-12).all()


def test_equal_strings() -> None:
    found = VocabularyMap.of_tokens({"a": 0, "b": 1, "c": 2}, {"c": 0, "d": 1, "a": 2}, teacher=4, student=3)
    assert found.shared == (0, 2)
    assert found.of_teacher(torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log()).exp().tolist() == [
        pytest.approx([0.3, 0.1, 0.6])
    ]


def test_refusals(shared: VocabularyMap) -> None:
    for mapping, text in [
        ({7: 0}, "teacher's class 7"),
        ({0: 8}, "student's class 8"),
        ({0: []}, "class 0 to"),
    ]:
        with pytest.raises(InvalidInputError, match=text):
            VocabularyMap(mapping, teacher=7, student=8)
    with pytest.raises(ShapeError, match="from 7 classes"):
        shared.of_teacher(torch.zeros(2, 8))
    with pytest.raises(DTypeError, match="cannot be sent"):
        shared.of_teacher(TopK.of_logits(torch.zeros(2, 7), 2))  # type: ignore[arg-type]
