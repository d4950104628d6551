"""Contrast by whole batches: redundancy, manifolds, common and salient codes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.losses import contrast
from losses.contrast_scores import leaf, normal

gradcheck = torch.autograd.gradcheck


# Barlow Twins ----------------------------------------------------------------------------------------------------


def test_cross_correlation_is_numpys_and_knows_no_unit() -> None:
    x, y = normal(20, 3), normal(20, 3, seed=1)
    wanted = np.corrcoef(x.numpy(), y.numpy(), rowvar=False)[:3, 3:]
    np.testing.assert_allclose(contrast.cross_correlation(x, y), wanted, rtol=1e-12)
    np.testing.assert_allclose(contrast.cross_correlation(1e-3 * x + 5, 7 * y - 2), wanted, rtol=1e-9)


def test_a_constant_feature_correlates_with_nothing() -> None:
    x, y = normal(50, 3).float(), normal(50, 3, seed=1).float()
    x[:, 1] = y[:, 1] = 0.1  # whose mean in single precision is not 0.1
    c = contrast.cross_correlation(x, y)
    assert (c[1] == 0).all()
    assert (c[:, 1] == 0).all()
    assert c[0, 0] != 0
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(contrast.barlow_twins(x, y), x)
    assert gradient.isfinite().all()


def test_barlow_twins_against_the_definition() -> None:
    x, y = normal(20, 4), normal(20, 4, seed=1)
    c = np.corrcoef(x.numpy(), y.numpy(), rowvar=False)[:4, 4:]
    own = np.diag(c)
    wanted = np.sum((1 - own) ** 2) + 0.3 * (np.sum(c**2) - np.sum(own**2))
    assert float(contrast.barlow_twins(x, y, redundancy=0.3)) == pytest.approx(wanted, rel=1e-12)
    loss = partial(contrast.barlow_twins, redundancy=0.3)
    assert gradcheck(loss, (leaf(6, 3), leaf(6, 3, seed=1)))


def test_barlow_twins_ends_at_agreement_without_redundancy() -> None:
    x = torch.linalg.qr(normal(16, 5) - normal(16, 5).mean(0)).Q
    x = (x - x.mean(0)).requires_grad_()
    loss = contrast.barlow_twins(x, 3 * x.detach() + 1)
    assert loss.item() == pytest.approx(0.0, abs=1e-12)
    assert float(torch.autograd.grad(loss, x)[0].abs().max()) < 1e-6


def test_redundancy_is_four_times_the_total_correlation_near_independence() -> None:
    basis = torch.linalg.qr(normal(64, 4) - normal(64, 4).mean(0)).Q
    off = torch.triu(normal(4, 4, seed=2), 1) * 1e-3
    c = torch.eye(4, dtype=torch.float64) + off + off.T
    x = basis @ torch.linalg.cholesky(c).T
    got = float(contrast.barlow_twins(x, x, redundancy=1.0))
    total_correlation = -0.5 * float(torch.linalg.slogdet(c).logabsdet)
    assert got == pytest.approx(4 * total_correlation, rel=0.01)


@pytest.mark.parametrize(
    "objective",
    [
        contrast.barlow_twins,
        lambda x, y, **options: contrast.mmcr(torch.stack([x, y], 1), compression=0.3, **options),
        lambda x, y, **options: contrast.uniformity(x + y, **options),
        contrast.negative_joint_entropy,
        contrast.alignment,
    ],
    ids=["barlow", "mmcr", "uniformity", "entropy", "alignment"],
)
def test_examples_that_do_not_count(objective: Callable[..., Tensor]) -> None:
    x, y = normal(6, 3), normal(6, 3, seed=1)
    keep = torch.tensor([True, False, True, True, False, True])
    wanted = objective(x[keep], y[keep])
    spoiled = torch.where(keep[:, None], x, math.nan).requires_grad_()
    masked = objective(spoiled, y, mask=keep)
    torch.testing.assert_close(masked, wanted)
    (gradient,) = torch.autograd.grad(masked, spoiled)
    assert gradient.isfinite().all()
    assert (gradient[~keep] == 0).all()
    with pytest.warns(RuntimeWarning, match="2 of 6"):
        torch.testing.assert_close(objective(spoiled, y, nonfinite="skip").detach(), wanted)
    with pytest.raises(InvalidInputError, match="not finite"):
        objective(spoiled, y, nonfinite="raise")
    assert objective(spoiled, y).isnan()
    with pytest.raises(InvalidInputError, match="nonfinite"):
        objective(spoiled, y, nonfinite="drop")
    with pytest.raises(ShapeError, match="mask"):
        objective(x, y, mask=keep[:3])


# MMCR ------------------------------------------------------------------------------------------------------------


def test_mmcr_against_the_definition() -> None:
    views = normal(5, 3, 4)
    z = views.numpy() / np.linalg.norm(views.numpy(), axis=-1, keepdims=True)
    inside = np.mean([np.linalg.norm(z[i], "nuc") for i in range(5)])
    wanted = -np.linalg.norm(z.mean(1), "nuc") + 0.2 * inside
    assert float(contrast.mmcr(views, compression=0.2)) == pytest.approx(wanted, rel=1e-13)
    assert float(contrast.mmcr(1e5 * views, compression=0.2)) == pytest.approx(wanted, rel=1e-13)
    assert gradcheck(partial(contrast.mmcr, compression=0.2), leaf(3, 2, 4))


@pytest.mark.parametrize(("n", "width"), [(32, 64), (64, 32), (7, 7)])
def test_no_nuclear_norm_is_beyond_the_largest(n: int, width: int) -> None:
    largest = contrast.largest_nuclear_norm(n, width)
    for seed in range(5):
        assert -float(contrast.mmcr(normal(n, 2, width, seed=seed))) < largest
    basis, other = (torch.linalg.qr(normal(64, 64, seed=seed)).Q for seed in (0, 1))
    best = basis[:n, :width] if n == 32 else torch.linalg.qr(normal(n, n)).Q[:, :width]
    if n == 64:  # two orthonormal bases: a tight frame
        best = torch.cat([torch.linalg.qr(normal(32, 32, seed=seed)).Q for seed in (0, 1)])
    if n == 32:
        best = other[:n]
    views = best[:, None].expand(n, 3, width).clone().requires_grad_()
    loss = contrast.mmcr(views)
    assert -loss.item() == pytest.approx(largest, rel=1e-12)
    assert float(torch.autograd.grad(loss, views)[0].abs().max()) < 1e-6


# Common and salient ----------------------------------------------------------------------------------------------


def test_alignment_and_uniformity_against_their_definitions() -> None:
    x, y = normal(6, 3), normal(6, 3, seed=1)
    assert float(contrast.alignment(x, y, variance=0.7)) == pytest.approx(
        float(((x - y) ** 2).sum() / 6 / 1.4), rel=1e-13
    )
    squares = ((x[:, None] - x[None]) ** 2).sum(-1).numpy()
    apart = squares[~np.eye(6, dtype=bool)]
    wanted = math.log(np.exp(-apart / 1.4).mean())
    assert float(contrast.uniformity(x, variance=0.7)) == pytest.approx(wanted, rel=1e-12)
    assert float(contrast.uniformity(x + 2.0**20, variance=0.7)) == pytest.approx(wanted, rel=1e-8)
    assert gradcheck(contrast.uniformity, leaf(5, 2))
    weighted = contrast.alignment(x, y, weight=torch.arange(6.0, dtype=torch.float64))
    each = ((x - y) ** 2).sum(-1)
    assert float(weighted) == pytest.approx(float((each * torch.arange(6)).mean()), rel=1e-12)


def test_copies_have_finite_gradients() -> None:
    x = normal(4, 2)
    x[1] = x[0]
    x.requires_grad_()
    for loss in (contrast.uniformity(x), contrast.negative_joint_entropy(x, x)):
        assert torch.autograd.grad(loss, x)[0].isfinite().all()
    assert contrast.uniformity(torch.ones(5, 2)).item() == 0


def test_joint_entropy_rises_as_the_salient_code_leaves_the_common_one() -> None:
    x = np.random.default_rng(0).normal(size=(600, 2))
    common = torch.tensor(x[:, :1])
    found = []
    for angle in (0.0, 0.4, 0.8, 1.2, math.pi / 2):
        salient = torch.tensor(math.cos(angle) * x[:, :1] + math.sin(angle) * x[:, 1:])
        found.append(float(contrast.negative_joint_entropy(common, salient)))
    assert all(a > b for a, b in pairwise(found))
    assert [round(found[0], 3), round(found[-1], 3)] == [-1.178, -1.714]
    assert gradcheck(contrast.negative_joint_entropy, (leaf(5, 2), leaf(5, 1, seed=1)))


def test_common_and_salient_codes_add_up() -> None:
    c, s, b = ((normal(5, 3, seed=seed), normal(5, 3, seed=seed + 1)) for seed in (0, 2, 4))
    s_b, absent = normal(4, 3, seed=6), torch.ones(3, dtype=torch.float64)
    got = contrast.common_salient(
        common=c,
        salient=s,
        background_common=b,
        background_salient=s_b,
        absent=absent,
        salient_weight=0.5,
        absence_weight=2.0,
        independence_weight=3.0,
    )
    both = [torch.cat(pair) for pair in zip(c, b, strict=True)]
    a, u = contrast.alignment, contrast.uniformity
    wanted = a(*both) + u(both[0]) + u(both[1]) + 0.5 * (a(*s) + u(s[0]) + u(s[1]))
    wanted = wanted + 2 * ((s_b - 1) ** 2).sum() / 4 + 3 * contrast.negative_joint_entropy(c[0], s[0])
    torch.testing.assert_close(got, wanted)
    with pytest.raises(ShapeError, match="absent"):
        contrast.common_salient(
            common=c, salient=s, background_common=b, background_salient=s_b, absent=absent[:2]
        )


def test_a_salient_code_that_repeats_the_common_one_costs_more() -> None:
    x = torch.nn.functional.normalize(normal(200, 2), dim=-1)
    y = torch.nn.functional.normalize(normal(200, 2, seed=1), dim=-1)

    def loss(salient: Tensor) -> float:
        return float(
            contrast.common_salient(
                common=(x, x),
                salient=(salient, salient),
                background_common=(x, x),
                background_salient=torch.zeros_like(x),
                absent=torch.zeros(2, dtype=torch.float64),
            )
        )

    assert loss(x) > loss(y) + 2


def test_states_that_cannot_be_meant() -> None:
    for objective in (contrast.barlow_twins, contrast.alignment):
        with pytest.raises(ShapeError, match="the same for both"):
            objective(normal(4, 2), normal(4, 3))
        with pytest.raises(DTypeError):
            objective(torch.ones(4, 2, dtype=torch.long), normal(4, 2))
    with pytest.raises(InvalidInputError, match="needs two"):
        contrast.barlow_twins(normal(1, 2), normal(1, 2))
    with pytest.raises(InvalidInputError, match="of pairs"):
        contrast.uniformity(normal(1, 2))
    with pytest.raises(InvalidInputError, match="redundancy"):
        contrast.barlow_twins(normal(4, 2), normal(4, 2), redundancy=-1.0)
    with pytest.raises(ShapeError, match="views"):
        contrast.mmcr(normal(4, 2))
    with pytest.raises(ShapeError, match="examples"):
        contrast.negative_joint_entropy(normal(4, 2), normal(3, 2))
    assert contrast.barlow_twins(normal(4, 2).half(), normal(4, 2, seed=1).half()).dtype == torch.float32
