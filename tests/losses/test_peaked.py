"""Rows in which one class has nearly all mass, as most rows of a language model do: the small classes keep digits."""

from __future__ import annotations

import pytest
import torch

import kullback as kb


@pytest.mark.parametrize("peak", [14.0, 18.0, 20.0, 25.0])
@pytest.mark.parametrize("d", [kb.kl, kb.reverse_kl, kb.js, kb.alpha(0.5)], ids=repr)
def test_float32_next_to_a_dominant_class(d: kb.FDivergence, peak: float) -> None:
    generator = torch.Generator().manual_seed(round(peak))
    teacher = torch.randn(4, 32000, generator=generator)
    teacher[:, 7] += peak
    student = teacher + 0.3 * torch.randn(4, 32000, generator=generator)
    pairs = [
        (student.clone().requires_grad_(), teacher),
        (student.double().requires_grad_(), teacher.double()),
    ]
    values = [kb.loss(d, *pairs[0]), d.of_logits(pairs[1][1], pairs[1][0]).mean()]
    gradients = [torch.autograd.grad(v, s)[0] for v, (s, _) in zip(values, pairs, strict=True)]
    assert values[0].item() == pytest.approx(values[1].item(), rel=2e-6)
    assert float((gradients[0] - gradients[1]).norm() / gradients[1].norm()) < 2e-6
    assert d.of_logits(teacher, student).mean().item() == pytest.approx(values[1].item(), rel=2e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("d", [kb.kl, kb.js], ids=repr)
def test_compiled_sums_over_many_classes_keep_the_digits(d: kb.FDivergence) -> None:
    """Rows far apart, where a sum in long lanes was wrong by 2e-6 of the value and 6e-4 of the gradient."""
    generator = torch.Generator().manual_seed(1)
    student, teacher = (5.0 * torch.randn(16, 32000, generator=generator) for _ in range(2))
    pairs = [
        (student.clone().requires_grad_(), teacher),
        (student.double().requires_grad_(), teacher.double()),
    ]
    values = [kb.loss(d, *pairs[0], engine=kb.Engine(compiled=True)), kb.loss(d, *pairs[1])]
    gradients = [torch.autograd.grad(v, s)[0] for v, (s, _) in zip(values, pairs, strict=True)]
    assert values[0].item() == pytest.approx(values[1].item(), rel=4e-7)
    assert float((gradients[0] - gradients[1]).norm() / gradients[1].norm()) < 1e-4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_with_one_vocabulary_after_the_other() -> None:
    """Once a second width comes, the compiler takes it for a symbol, in the lengths of the pieces of a sum as well."""
    for classes in (300, 700, 1024, 250, 5000):
        generator = torch.Generator().manual_seed(classes)
        student, teacher = (torch.randn(6, classes, generator=generator) for _ in range(2))
        student.requires_grad_()
        value = kb.loss(kb.neyman_chi2, student, teacher, engine=kb.Engine(compiled=True))
        wanted = kb.loss(kb.neyman_chi2, student, teacher)
        assert value.item() == pytest.approx(wanted.item(), rel=1e-6)
        found, true = (torch.autograd.grad(x, student)[0] for x in (value, wanted))
        assert float((found - true).norm() / true.norm()) < 1e-5
