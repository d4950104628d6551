"""Contraction, generalisation and regret: never violated over 1e5 random instances, attained by one."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

import kullback as kb
from kullback.bounds import (
    chi2_contraction,
    divergence_gap,
    dobrushin,
    dropout,
    gaussian_noise,
    information_gap,
    kl_contraction,
    kl_contraction_from,
    mixture_regret,
    wasserstein_gap,
)

N = 100_000
EVERY = kb.catalogue().named


def assert_contracts(channel: np.ndarray, share: float, seed: int, n: int = N) -> None:
    rng = np.random.default_rng(seed)
    p, q = rng.dirichlet(np.full(len(channel), 0.5), (2, n)) + 1e-6
    p, q = (x / x.sum(-1, keepdims=True) for x in (p, q))
    sent, came = (p, q), (p @ channel, q @ channel)
    for d in EVERY:
        assert np.all(d(*came, normalize=True) <= share * d(*sent, normalize=True) * (1 + 1e-9) + 1e-15)


def test_dobrushin() -> None:
    rng = np.random.default_rng(1)
    for seed in range(10):
        channel = rng.dirichlet(np.full(4, 0.7), 3)
        share = dobrushin(channel).high
        assert_contracts(channel, share, seed, N // 10)
        extremes = kb.total_variation(channel[:, None], channel[None])
        assert share == extremes.max()  # attained by point masses


OPERATOR_CONVEX = (kb.kl, kb.reverse_kl, kb.pearson_chi2, kb.squared_hellinger, kb.js, kb.le_cam)


def test_contraction_of_relative_entropy() -> None:
    """One number for all operator convex f, never exceeded, attained by two inputs that are nearly mixed alike."""
    rng = np.random.default_rng(11)
    for _ in range(5):
        channel = rng.dirichlet(np.full(4, 0.5), 3)
        share = kl_contraction(channel)
        assert share.high - share.low <= 1e-14
        assert share.high <= dobrushin(channel).high
        p, q = rng.dirichlet(np.full(3, 0.3), (2, N // 5)) + 1e-9
        q = np.where(rng.random((N // 5, 1)) < 0.5, p + 0.01 * (q - p), q)
        sent, came = (p, q), (p @ channel, q @ channel)
        for d in OPERATOR_CONVEX:
            assert np.all(
                d(*came, normalize=True) <= share.high * d(*sent, normalize=True) * (1 + 1e-9) + 1e-15
            )
        near = 0.0
        for i, j in ((0, 1), (0, 2), (1, 2)):
            beta = np.linspace(1e-6, 1 - 1e-6, 2001)[:, None]
            pair = channel[[i, j]]
            a, b = (np.concatenate([x, 1 - x], axis=1) for x in (beta * (1 + 1e-4 * (1 - beta)), beta))
            near = max(near, float(np.max(kb.kl(a @ pair, b @ pair) / kb.kl(a, b))))
        assert near == pytest.approx(share.value, rel=1e-4)


def test_contraction_of_relative_entropy_in_closed_form() -> None:
    for wrong in (0.0, 0.01, 0.3, 0.5):
        symmetric = [[1 - wrong, wrong], [wrong, 1 - wrong]]
        for share in (kl_contraction(symmetric).value, chi2_contraction(symmetric, [0.5, 0.5]).value):
            assert share == pytest.approx((1 - 2 * wrong) ** 2, rel=1e-13, abs=1e-15)
        erasing = [[1 - wrong, wrong, 0.0], [0.0, wrong, 1 - wrong]]
        for share in (kl_contraction(erasing), kl_contraction_from(erasing, [0.2, 0.8])):
            assert share.value == pytest.approx(1 - wrong, rel=1e-13)
            assert share.high == pytest.approx(1 - wrong, rel=1e-13)
    assert kl_contraction([[1.0, 0.0], [0.5, 0.5]]).value == pytest.approx(
        0.5, rel=1e-13
    )  # in the limit, at one end
    assert kl_contraction([[0.3, 0.7]]).high == 0
    assert kl_contraction_from([[0.3, 0.7], [0.3, 0.7]], [0.5, 0.5]).high == pytest.approx(0, abs=1e-15)


def test_contraction_from_a_law() -> None:
    """Chi-square to the last direction; relative entropy between it and the number for all laws."""
    rng = np.random.default_rng(12)
    for _ in range(5):
        channel, law = rng.dirichlet(np.full(4, 0.5), 3), rng.dirichlet(np.ones(3))
        exact = chi2_contraction(channel, law).value
        answer = kl_contraction_from(channel, law)
        assert exact <= answer.low <= answer.value <= answer.high <= dobrushin(channel).high * (1 + 1e-12)
        q = rng.dirichlet(np.full(3, 0.4), N // 5) + 1e-12
        q = q / q.sum(axis=-1, keepdims=True)
        came, seen = np.broadcast_to(law @ channel, (N // 5, 4)), np.broadcast_to(law, q.shape)
        assert np.all(
            kb.pearson_chi2(q @ channel, came) <= exact * kb.pearson_chi2(q, seen) * (1 + 1e-9) + 1e-15
        )
        shares = kb.kl(q @ channel, came) / kb.kl(q, seen)
        assert shares.max() <= answer.value * (1 + 1e-9)
        assert (
            shares.max() >= 0.999 * answer.value
        )  # no better law was missed, and this one is nearly as good
        # the maximal correlation, by alternating conditional means
        g = rng.normal(size=4)
        for _ in range(3000):
            f = channel @ g
            f = (f - law @ f) / np.sqrt(law @ (f - law @ f) ** 2)
            g = (law * f) @ channel / came[0]
        assert came[0] @ g**2 == pytest.approx(exact, rel=1e-10)  # attained


def test_gaussian_noise() -> None:
    x, edges = np.linspace(-1, 1, 5), np.linspace(-8, 8, 33)
    for sigma in (0.5, 2.0):
        cumulative = np.array(
            [[0.5 * math.erfc(-(e - m) / (sigma * math.sqrt(2))) for e in edges] for m in x]
        )
        channel = np.diff(cumulative, axis=1, prepend=0.0, append=1.0)
        share = gaussian_noise(1.0, sigma=sigma).high
        assert dobrushin(channel / channel.sum(1, keepdims=True)).high == pytest.approx(
            share, rel=1e-10
        )  # attained
        assert_contracts(channel, share, 2, N // 2)


def test_dropout() -> None:
    rate, inputs = 0.3, list(product((0, 1), repeat=2))
    channel = np.zeros((4, 16))
    for i, x in enumerate(inputs):
        for lost in inputs:
            chance = math.prod(rate if gone else 1 - rate for gone in lost)
            seen = tuple(-1 if gone else value for gone, value in zip(lost, x, strict=True))
            channel[i, _index(seen)] += chance
    share = dropout(rate, width=2).high
    assert dobrushin(channel).high == pytest.approx(share, rel=1e-15)
    assert_contracts(channel, share, 3)
    opposite = kb.js(channel[0], channel[3])  # (0, 0) against (1, 1): every f attains it
    assert opposite == pytest.approx(share * kb.js.upper_bound, rel=1e-14)


def _index(seen: tuple[int, ...]) -> int:
    return (seen[0] + 1) * 4 + seen[1] + 1


def test_information_gap() -> None:
    rng = np.random.default_rng(4)
    joint = rng.dirichlet(np.full(9, 0.5), N)
    loss = rng.uniform(size=(N, 9))
    table = joint.reshape(N, 3, 3)
    product_law = (table.sum(2)[:, :, None] * table.sum(1)[:, None, :]).reshape(N, 9)
    gap = np.abs(np.sum((joint - product_law) * loss, axis=1))
    information = kb.kl(joint, product_law, normalize=True)
    assert np.all(gap <= 0.5 * np.sqrt(2 * information))
    for i in range(500):
        assert gap[i] <= information_gap(float(information[i]), n=1, sigma=0.5).high
    # weights ±1, an example N(λw, 1), the loss w z: in the limit of a small λ nothing is lost
    size, z = 0.02, np.linspace(-9, 9, 20001)
    density = np.exp(-0.5 * (z - np.array([[size], [-size]])) ** 2)
    law = density / density.sum()
    shown = kb.kl(law.ravel(), (law.sum(0)[None] * np.full((2, 1), 0.5)).ravel(), normalize=True)
    assert size == pytest.approx(information_gap(shown, n=1, sigma=1.0).high, rel=1e-3)


def test_divergence_gap() -> None:
    """Two coins and a rule that chooses one of two predictions from them: each coin has its own divergence."""
    rng = np.random.default_rng(7)
    bias, chosen, loss = rng.uniform(0.05, 0.95, N), rng.uniform(size=(N, 2, 2)), rng.uniform(size=(N, 2, 2))
    coin = np.stack([1 - bias, bias], axis=1)
    weights = np.stack([1 - chosen, chosen], axis=-1)  # p(w | z1, z2)
    whole = coin[:, :, None, None] * coin[:, None, :, None] * weights
    law = whole.sum((1, 2))[:, None, :] * coin[:, :, None]
    pairs = [whole.sum(2), whole.sum(1)]  # of (z1, w) and (z2, w)
    gap = np.abs(sum(np.sum((law - p) * loss, axis=(1, 2)) for p in pairs)) / 2
    apart = np.stack([kb.kl(p.reshape(N, 4), law.reshape(N, 4), normalize=True) for p in pairs], axis=1)
    assert np.all(gap <= 0.25 * np.sqrt(2 * apart).sum(1) + 1e-12)
    together = kb.kl(
        whole.reshape(N, 8),
        (coin[:, :, None, None] * coin[:, None, :, None] * whole.sum((1, 2))[:, None, None, :]).reshape(N, 8),
        normalize=True,
    )
    for i in range(500):
        high = divergence_gap(apart[i], sigma=0.5).high
        assert gap[i] <= high + 1e-12
        assert high <= information_gap(float(together[i]), n=2, sigma=0.5).high + 1e-9
    # weights ±1, examples N(λw, 1) and N(3λw, 1), the loss w z: in the limit of a small λ nothing is lost
    size = np.array([0.005, 0.015])
    x = np.linspace(-9, 9, 20001)
    shown = []
    for s in size:
        density = np.exp(-0.5 * (x - np.array([[s], [-s]])) ** 2)
        density /= density.sum()
        shown.append(kb.kl(density.ravel(), np.tile(density.sum(0) / 2, 2), normalize=True))
    assert size.mean() == pytest.approx(divergence_gap(shown, sigma=1.0).high, rel=1e-3)


def test_wasserstein_gap() -> None:
    rng = np.random.default_rng(5)
    p, q = rng.dirichlet(np.ones(5), (2, N))
    places = np.sort(rng.normal(size=(N, 5)), axis=1)
    steps = np.diff(places, axis=1)
    distance = np.sum(np.abs(np.cumsum(p - q, axis=1)[:, :-1]) * steps, axis=1)
    slopes = rng.uniform(-2, 2, (N, 4))
    loss = np.concatenate([np.zeros((N, 1)), np.cumsum(slopes * steps, axis=1)], axis=1)
    gap = np.abs(np.sum((p - q) * loss, axis=1))
    assert np.all(gap <= 2 * distance + 1e-12)
    for i in range(500):
        assert gap[i] <= wasserstein_gap(distance[i : i + 1], lipschitz=2.0).high + 1e-12
    best = np.concatenate([[0.0], np.cumsum(-np.sign(np.cumsum(p[0] - q[0])[:-1]) * steps[0])])
    assert (p[0] - q[0]) @ best == pytest.approx(wasserstein_gap(distance[:1], lipschitz=1.0).high, rel=1e-12)


def test_mixture_regret() -> None:
    """Coins: the relative entropy of eight tosses is a sum over the number of heads."""
    rng = np.random.default_rng(6)
    n, heads = 8, np.arange(9)
    choose = np.array([math.comb(n, int(k)) for k in heads])
    truth, models = rng.uniform(0.02, 0.98, (N, 1)), rng.uniform(0.02, 0.98, (N, 3))
    prior = rng.dirichlet(np.ones(3), N)
    law = choose * truth**heads * (1 - truth) ** (n - heads)
    each = choose * models[..., None] ** heads * (1 - models[..., None]) ** (n - heads)
    mixed = np.einsum("nk,nkh->nh", prior, each)
    regret = kb.kl(law, mixed, normalize=True)
    one = np.stack(np.broadcast_arrays(truth, 1 - truth), axis=-1)
    apart = kb.kl(np.broadcast_to(one, (N, 3, 2)), np.stack([models, 1 - models], axis=-1), normalize=True)
    assert np.all(regret <= -np.log(np.sum(prior * np.exp(-n * apart), axis=1)) + 1e-12)
    for i in range(500):
        high = mixture_regret(apart[i], n=n, prior=prior[i]).high
        assert regret[i] <= high + 1e-12
        ball = min(n * e - math.log(prior[i][apart[i] <= e].sum()) for e in apart[i])
        assert high <= ball + 1e-12
    assert mixture_regret([0.3, 0.3], n=5).high == pytest.approx(
        1.5
    )  # equal models: n times their divergence
    assert mixture_regret([math.inf], n=5).high == math.inf


def test_refusals() -> None:
    for call in (
        lambda: gaussian_noise(-1.0, sigma=1.0),
        lambda: dropout(1.5, width=1),
        lambda: dropout(0.5, width=0),
        lambda: dobrushin([[0.5, 0.6]]),
        lambda: kl_contraction([[0.5, 0.6]]),
        lambda: chi2_contraction([[0.5, 0.5]], [0.5]),
        lambda: information_gap(-1.0, n=1, sigma=1.0),
        lambda: divergence_gap([-1.0], sigma=1.0),
        lambda: divergence_gap([1.0], sigma=math.inf),
        lambda: wasserstein_gap([-1.0], lipschitz=1.0),
        lambda: mixture_regret([0.1], n=1, prior=[0.5]),
    ):
        with pytest.raises(kb.InvalidInputError):
            call()
    for call in (
        lambda: dobrushin([0.5, 0.5]),
        lambda: kl_contraction([0.5, 0.5]),
        lambda: kl_contraction_from([[0.5, 0.5]], [0.5, 0.5]),
        lambda: divergence_gap(0.1, sigma=1.0),
        lambda: wasserstein_gap([], lipschitz=1.0),
        lambda: mixture_regret([], n=1),
    ):
        with pytest.raises(kb.ShapeError):
            call()
