"""Gradients of surrogates against exact ones: by enumeration of the outcomes, and of all samples of two or three."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import kullback as kb
from kullback.exact import in_loss, k1, k2, k3, regressed, surrogate
from problems.listed import BUILT_IN, USERS

A = np.array([0.3, -0.8, 0.5, 0.1])
B = np.array([-0.4, 0.2, 0.0, 1.1])
D = (*BUILT_IN, *USERS)


def logits() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(A, requires_grad=True), torch.tensor(B, requires_grad=True)


def exact(d: kb.FDivergence) -> tuple[np.ndarray, np.ndarray]:
    a, b = logits()
    d(torch.softmax(a, -1), torch.softmax(b, -1), normalize=True).backward()
    assert a.grad is not None
    assert b.grad is not None
    return a.grad.numpy(), b.grad.numpy()


def gradients(scalar: Any) -> tuple[np.ndarray, np.ndarray]:
    """Of `scalar(log_p, log_q)` towards the logits of both."""
    a, b = logits()
    scalar(torch.log_softmax(a, -1), torch.log_softmax(b, -1)).backward()
    return tuple(np.zeros(4) if x.grad is None else x.grad.numpy() for x in (a, b))  # type: ignore[return-value]


@pytest.mark.parametrize("side", ["p", "q"])
@pytest.mark.parametrize("d", D, ids=lambda d: d.name)
def test_exact_expectation(d: kb.FDivergence, side: str) -> None:
    found = gradients(
        lambda p, q: surrogate(d, p, q, drawn_from=side, log_weights=(p if side == "p" else q).detach())  # type: ignore[arg-type]
    )
    for gradient, truth in zip(found, exact(d), strict=True):
        assert np.allclose(gradient, truth, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("side", ["p", "q"])
@pytest.mark.parametrize("d", [kb.kl, kb.js, kb.pearson_chi2], ids=lambda d: d.name)
def test_unbiased_over_all_samples(d: kb.FDivergence, side: str, n: int) -> None:
    """The mean coefficient taken off the score is that of the other draws: no bias at any n."""
    total = [np.zeros(4), np.zeros(4)]
    mass = np.exp(A if side == "p" else B)
    mass /= mass.sum()
    for sample in itertools.product(range(4), repeat=n):
        index = list(sample)
        found = gradients(lambda p, q, i=index: surrogate(d, p[i], q[i], drawn_from=side))  # type: ignore[misc]
        total = [t + mass[index].prod() * g for t, g in zip(total, found, strict=True)]
    for gradient, truth in zip(total, exact(d), strict=True):
        assert np.allclose(gradient, truth, atol=1e-12)


def test_centring_lowers_the_variance() -> None:
    """Of the gradient towards p of kl from 20 draws, against r ∇log p, the textbook's score function."""
    rng = np.random.default_rng(0)
    p = torch.log_softmax(torch.tensor(A), -1)
    q = torch.log_softmax(torch.tensor(B - 3.0 * A), -1)
    centred, plain = [], []
    for _ in range(300):
        i = rng.choice(4, size=20, p=np.exp(p.numpy()))
        for store, scalar in (
            (centred, lambda x, i=i: surrogate(kb.kl, x[i], q[i], drawn_from="p")),
            (plain, lambda x, i=i: torch.mean((x[i] - q[i]).detach() * x[i])),
        ):
            a = torch.tensor(A, requires_grad=True)
            scalar(torch.log_softmax(a, -1)).backward()
            assert a.grad is not None
            store.append(a.grad.numpy())
    assert np.var(centred, axis=0).sum() < 0.8 * np.var(plain, axis=0).sum()
    assert np.allclose(np.mean(centred, axis=0), np.mean(plain, axis=0), atol=0.15)


def of_kl(first: str) -> tuple[np.ndarray, np.ndarray]:
    """Exact gradients of kl(p, q) or, with `first="q"`, of kl(q, p), towards the logits of p and of q."""
    return exact(kb.kl if first == "p" else kb.reverse_kl)


@pytest.mark.parametrize(
    ("estimator", "towards_p", "towards_q"),
    [(k1, "zero", "kl"), (k2, "kl", "none"), (k3, "other", "kl")],
    ids=str,
)
def test_gradients_of_estimators_in_a_loss(estimator: Any, towards_p: str, towards_q: str) -> None:
    """The table of `in_loss`, on draws of p, by exact expectation."""
    claims = {"zero": np.zeros(4), "kl": of_kl("p"), "other": of_kl("q")}
    found = gradients(lambda p, q: in_loss(estimator, kb.kl, p, q, drawn_from="p", log_weights=p.detach()))
    for i, claim in enumerate((towards_p, towards_q)):
        if claim == "none":
            p, q = (np.exp(x) / np.exp(x).sum() for x in (A, B))
            r = np.log(p / q)
            # E_p[r ∇_b r] with ∇_b r = −(one-hot − q)
            assert np.allclose(found[i], -(p * r - q * (p * r).sum()), atol=1e-13)
            assert not np.allclose(found[i], of_kl("p")[i], atol=0.01)
        else:
            truth = claims[claim] if claim == "zero" else claims[claim][i]
            assert np.allclose(found[i], truth, atol=1e-13)


def test_value_of_a_loss_is_the_estimate() -> None:
    log_p, log_q = np.log([0.2, 0.3, 0.5, 0.5]), np.log([0.1, 0.4, 0.5, 0.5])
    for estimator in (k1, k2, k3):
        number = kb.sampled(kb.kl, log_p, log_q, drawn_from="p", estimator=estimator).value
        loss = in_loss(estimator, kb.kl, torch.tensor(log_p), torch.tensor(log_q), drawn_from="p")
        assert float(loss) == pytest.approx(number, abs=1e-15)


def test_jax_under_jit_agrees_with_torch() -> None:
    truth = exact(kb.js)

    @jax.jit
    def gradient(a: Any, b: Any) -> Any:
        weights = jax.lax.stop_gradient(jax.nn.log_softmax(b))
        return jax.grad(
            lambda x, y: surrogate(
                kb.js, jax.nn.log_softmax(x), jax.nn.log_softmax(y), drawn_from="q", log_weights=weights
            ),
            argnums=(0, 1),
        )(a, b)

    for found, expected in zip(gradient(jnp.asarray(A), jnp.asarray(B)), truth, strict=True):
        assert np.allclose(np.asarray(found), expected, atol=1e-6)


def test_equal_laws_have_no_gradient() -> None:
    for d in D:
        a = torch.tensor(A, requires_grad=True)
        p = torch.log_softmax(a, -1)
        surrogate(d, p, p.detach(), drawn_from="p").backward()
        assert a.grad is not None
        assert np.allclose(a.grad.numpy(), 0.0, atol=1e-15)


@pytest.mark.parametrize("side", ["p", "q"])
@pytest.mark.parametrize("d", BUILT_IN, ids=lambda d: d.name)
def test_huge_log_ratios_make_no_nan(d: kb.FDivergence, side: str) -> None:
    r = torch.tensor([1e4, -1e4, 0.3, -1e3, -20.0], dtype=torch.float64)
    own = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    pair = (own, r) if side == "p" else (r, own)
    surrogate(d, *pair, drawn_from=side).backward()  # type: ignore[arg-type]
    assert own.grad is not None
    assert not torch.isnan(own.grad).any()
    coefficients = (d if side == "q" else d.dual).tilt(r)
    assert torch.equal(torch.isinf(own.grad), torch.isinf(coefficients))


def test_zero_density() -> None:
    log_p = torch.tensor([0.0, -float("inf")], dtype=torch.float64, requires_grad=True)
    log_q = torch.log(torch.tensor([0.5, 0.5], dtype=torch.float64)).requires_grad_()
    surrogate(kb.js, log_p, log_q, drawn_from="q").backward()
    assert log_q.grad is not None
    assert torch.isfinite(log_q.grad).all()
    with pytest.raises(kb.InvalidInputError, match="infinite"):
        surrogate(kb.reverse_kl, log_p, log_q, drawn_from="q")


def test_bad_input() -> None:
    x = torch.zeros(3)
    with pytest.raises(kb.DTypeError, match="numpy arrays carry no gradients"):
        surrogate(kb.kl, np.zeros(3), np.zeros(3), drawn_from="p")
    with pytest.raises(kb.DTypeError, match="two libraries"):
        surrogate(kb.kl, x, np.zeros(3), drawn_from="p")
    with pytest.raises(kb.ShapeError, match="`log_q` has shape"):
        surrogate(kb.kl, x, torch.zeros(4), drawn_from="p")
    with pytest.raises(kb.ShapeError, match="`log_p` has shape"):
        surrogate(kb.kl, torch.zeros(2, 2), x, drawn_from="p")
    with pytest.raises(kb.InvalidInputError, match="drawn_from"):
        surrogate(kb.kl, x, x, drawn_from="teacher")  # type: ignore[arg-type]
    with pytest.raises(kb.InvalidInputError, match="f-divergence"):
        surrogate(kb.renyi(2), x, x, drawn_from="p")  # type: ignore[arg-type]
    with pytest.raises(kb.InvalidInputError, match="in_loss takes k1, k2 or k3"):
        in_loss(regressed, kb.kl, x, x, drawn_from="p")  # type: ignore[arg-type]
