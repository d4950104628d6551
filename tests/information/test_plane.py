"""Information planes: laws of bins, plug-in values by brute force, and noise against quadrature."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.information import (
    DistinctBins,
    EqualWidthBins,
    GaussianNoise,
    RelativeNoise,
    information_plane,
)
from kullback.information.bins import Bins
from kullback.information.coding import Coding

BINS: tuple[Bins, ...] = (
    DistinctBins(),
    DistinctBins(4),
    DistinctBins(4, atom=0.0),
    EqualWidthBins(),
    EqualWidthBins(5, (-9.0, 99.0)),
)
CODINGS: tuple[Coding, ...] = (*BINS, GaussianNoise(0.3), GaussianNoise(1e-6), RelativeNoise(0.05))
INCREASING: tuple[Callable[[np.ndarray], np.ndarray], ...] = (np.cbrt, np.expm1, np.arctan, lambda t: 1e6 * t)

each_coding = pytest.mark.parametrize("coding", CODINGS, ids=repr)


def layer(seed: int = 0, n: int = 300, d: int = 3) -> np.ndarray:
    """Rectifiers of a random linear map."""
    rng = np.random.default_rng(seed)
    return np.maximum(rng.normal(size=(n, 2)) @ rng.normal(size=(2, d)), 0.0)


def labels(seed: int = 0, n: int = 300) -> np.ndarray:
    return (layer(seed, n).sum(axis=1) + np.random.default_rng(seed).normal(size=n) > 1).astype(int)


def entropy(outcomes: Iterable[object]) -> float:
    shares = np.array(list(Counter(outcomes).values()), dtype=float)
    shares /= shares.sum()
    return float(-(shares @ np.log(shares)))


@pytest.mark.parametrize("bins", BINS, ids=repr)
def test_bins_give_the_plug_in_values(bins: Bins) -> None:
    t, y = layer(), labels()
    (point,) = information_plane([t], y, coding=bins)
    codes = [tuple(row) for row in bins.codes(t).tolist()]
    told = entropy(codes) + entropy(y.tolist()) - entropy(zip(codes, y.tolist(), strict=True))
    assert point.complexity.value == pytest.approx(entropy(codes), rel=1e-12)
    assert point.relevance.value == pytest.approx(told, rel=1e-12)
    for answer in point:
        assert answer.low <= answer.value <= answer.high
        assert (answer.kind, answer.method, answer.n) == ("estimate", "plug-in", 300)


def test_an_interval_holds_a_value_that_is_smaller_than_its_bias() -> None:
    t, y = (
        np.repeat([0.0, 0.0, 1.0, 1.0], [500, 500, 500, 501]),
        np.repeat([0, 1, 0, 1], [500, 500, 500, 501]),
    )
    (point,) = information_plane([t], y, coding=DistinctBins(2))
    assert point.relevance.low < 0.0 < point.relevance.value <= point.relevance.high


@each_coding
@pytest.mark.parametrize("seed", range(3))
def test_information_stays_within_its_limits(coding: Coding, seed: int) -> None:
    t, y = layer(seed), labels(seed)
    (point,) = information_plane([t], y, coding=coding)
    most = min(entropy(y.tolist()), point.complexity.value)
    assert 0.0 <= point.relevance.value <= most + 1e-12
    assert point.complexity.value <= math.log(300) + 1e-12


@pytest.mark.parametrize("warp", INCREASING)
@pytest.mark.parametrize("atom", [None, 0.0])
def test_distinct_values_do_not_see_increasing_maps(warp: Callable, atom: float | None) -> None:
    bins = DistinctBins(7, atom=atom)
    assert np.array_equal(bins.codes(layer()), bins.codes(warp(layer())))
    assert not np.array_equal(EqualWidthBins(7).codes(layer()), EqualWidthBins(7).codes(np.expm1(layer())))


@pytest.mark.parametrize("count", [1, 3, 7, 50, 400])
def test_distinct_values_are_shared_out_equally(count: int) -> None:
    t = np.random.default_rng(0).normal(size=(100, 2))
    sizes = np.bincount(DistinctBins(count).codes(t).ravel())
    sizes = sizes[sizes > 0]
    assert len(sizes) == min(count, 200)
    assert np.ptp(sizes) <= 1
    repeated = np.repeat(t, 5, axis=0)  # how often a value occurs does not matter
    assert np.array_equal(
        DistinctBins(count).codes(repeated), np.repeat(DistinctBins(count).codes(t), 5, axis=0)
    )


def test_an_atom_has_a_bin_of_its_own() -> None:
    t = layer()
    codes = DistinctBins(4, atom=0.0).codes(t)
    assert np.array_equal(codes == 0, t == 0)
    assert set(np.unique(codes)) == {0, 1, 2, 3, 4}
    assert (DistinctBins(4).codes(t)[t > 0] == 0).any()
    assert not DistinctBins(4, atom=0.0).codes(np.zeros((5, 2))).any()


def test_widths_are_equal_and_ends_belong_to_the_bins() -> None:
    t = np.linspace(-1, 1, 201)[:, None]
    codes = EqualWidthBins(4, (-1, 1)).codes(t).ravel()
    assert np.array_equal(codes, np.minimum(np.floor(2 * (t.ravel() + 1)), 3))
    assert np.array_equal(EqualWidthBins(4).codes(5 * t + 3), EqualWidthBins(4, (-2, 8)).codes(5 * t + 3))


def chain(bins: Bins, seed: int) -> list[np.ndarray]:
    """Each layer is computed from the codes of the one before it, and from nothing else."""
    rng = np.random.default_rng(seed)
    t, found = rng.normal(size=(500, 6)), []
    for width in (5, 3, 2, 1):
        t = np.tanh(t @ rng.normal(size=(t.shape[1], width)))
        found.append(t)
        t = bins.codes(t) / 3.0
    return found


@pytest.mark.parametrize(
    "bins", [DistinctBins(4), EqualWidthBins(4, (-1.0, 1.0)), EqualWidthBins(6)], ids=repr
)
@pytest.mark.parametrize("seed", range(4))
def test_codes_that_feed_the_next_layer_lose_information(bins: Bins, seed: int) -> None:
    y = np.random.default_rng(seed).integers(3, size=500)
    points = information_plane(chain(bins, seed), y, coding=bins)
    for values in zip(*((p.complexity.value, p.relevance.value) for p in points), strict=True):
        assert np.diff(values).max() <= 1e-12
        assert values[-1] < values[0]


def test_a_note_says_when_codes_only_count_rows() -> None:
    t = np.random.default_rng(0).normal(size=(200, 4))
    fine, coarse = (information_plane([t], np.arange(200) % 2, coding=DistinctBins(b))[0] for b in (200, 2))
    assert fine.complexity.value == pytest.approx(math.log(200), rel=1e-13)
    assert "saturated: 200 of 200 rows" in fine.complexity.notes[0]
    assert fine.relevance.value == pytest.approx(math.log(2), rel=1e-13)
    assert not any("saturated" in note for note in coarse.complexity.notes)


def of_noise(x: np.ndarray, s: float) -> float:
    """I(X; X + s N) for x of equal mass, by quadrature."""

    def term(z: float) -> float:
        p = float(stats.norm.pdf(z, x, s).mean())
        return -p * math.log(p) if p > 0 else 0.0

    places = sorted({*x.tolist(), x.min() - 12 * s, x.max() + 12 * s})
    whole = sum(integrate.quad(term, a, b, limit=200)[0] for a, b in pairwise(places))
    return whole - float(stats.norm.entropy(scale=s))


@pytest.mark.parametrize("s", [0.01, 0.3, 1.0, 5.0])
def test_noise_bounds_bracket_the_truth(s: float) -> None:
    x, y = np.array([0.0, 0.1, 0.5, 2.0, 2.0, 7.0]), np.array([0, 0, 1, 0, 1, 1])
    (point,) = information_plane([x], y, coding=GaussianNoise(s))
    told = of_noise(x, s)
    relevant = told - 0.5 * sum(of_noise(x[y == c], s) for c in (0, 1))
    for answer, truth in zip(point, (told, relevant), strict=True):
        assert answer.low - 1e-9 <= truth <= answer.high + 1e-9
        assert answer.kind == "bounds"
        assert answer.value == pytest.approx(0.5 * (answer.low + answer.high))
    assert point.relevance.low >= 0.0
    assert point.relevance.high <= math.log(2) + 1e-15
    if s == 5.0:
        assert point.complexity.high - point.complexity.low < 0.2


@pytest.mark.parametrize("s", [0.05, 0.5, 20.0])
def test_noise_bounds_are_those_of_pairs(s: float) -> None:
    t, y = layer(n=40), labels(n=40)
    (told, relevant) = information_plane([t], y, coding=GaussianNoise(s))[0]
    square = ((t[:, None] - t) ** 2).sum(-1) / s**2

    def bound(scale: float, rows: np.ndarray) -> float:
        return float(-np.log(np.exp(-square[np.ix_(rows, rows)] / scale).mean(1)).mean())

    ends = {}
    for scale in (2.0, 8.0):
        within = sum(np.mean(y == c) * bound(scale, np.flatnonzero(y == c)) for c in (0, 1))
        ends[scale] = bound(scale, np.arange(40)), within
    assert (told.low, told.high) == pytest.approx((ends[8.0][0], ends[2.0][0]), rel=1e-9)
    low, high = ends[8.0][0] - ends[2.0][1], ends[2.0][0] - ends[8.0][1]
    assert relevant.low == pytest.approx(max(low, 0.0), abs=1e-12)
    assert relevant.high == pytest.approx(min(high, told.high, entropy(y.tolist())), abs=1e-12)


def test_noise_knows_groups_that_are_far_apart_exactly() -> None:
    t = np.repeat([[0.0, 0.0], [1e3, 0.0], [0.0, 1e3]], 4, axis=0)
    y = np.repeat([0, 0, 1], 4)
    (point,) = information_plane([t], y, coding=GaussianNoise(1.0))
    for answer, truth in zip(point, (math.log(3), entropy(y.tolist())), strict=True):
        assert (answer.low, answer.high) == pytest.approx((truth, truth), abs=1e-12)


def test_pairs_are_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = information_plane([layer()], labels(), coding=GaussianNoise(0.2))
    monkeypatch.setattr("kullback.information.noise._PAIRS", 1000)
    for a, b in zip(
        whole[0], information_plane([layer()], labels(), coding=GaussianNoise(0.2))[0], strict=True
    ):
        assert (a.low, a.high) == pytest.approx((b.low, b.high), rel=1e-13)


def test_relative_noise_does_not_see_the_unit() -> None:
    near, far = information_plane([layer(), 1e5 * layer()], labels(), coding=RelativeNoise(0.1))
    assert near.complexity.high == pytest.approx(far.complexity.high, rel=1e-12)
    assert RelativeNoise(0.1).width(layer()) == pytest.approx(0.1 * layer().max())


@each_coding
def test_a_constant_layer_tells_nothing(coding: Coding) -> None:
    (point,) = information_plane([np.zeros((300, 2))], labels(), coding=coding)
    assert [a.value for a in point] == pytest.approx([0.0, 0.0], abs=1e-13)


@each_coding
def test_tensors_and_names_of_classes_give_the_same(coding: Coding) -> None:
    t, y = layer(), labels()
    (plain,) = information_plane([t], y, coding=coding)
    tensor = torch.tensor(t, requires_grad=True)
    (torched,) = information_plane([tensor], torch.tensor(y), coding=coding)
    (named,) = information_plane([t.tolist()], np.array(["no", "yes"])[y], coding=coding)
    assert plain == torched == named


@pytest.mark.parametrize(
    ("layers", "y", "error", "message"),
    [
        (
            [np.zeros((4, 2)), np.zeros((3, 2))],
            [0, 1, 0, 1],
            ShapeError,
            "layer 1: 3 rows of activations and 4",
        ),
        ([np.zeros((4, 2, 2))], [0, 1, 0, 1], ShapeError, r"\(4, 2, 2\).*flatten"),
        ([np.zeros((4, 0))], [0, 1, 0, 1], ShapeError, "expected"),
        ([np.full((4, 1), np.nan)], [0, 1, 0, 1], InvalidInputError, "layer 0: 4 activations are not finite"),
        ([np.array([["a"], ["b"]])], [0, 1], DTypeError, "real numbers"),
        ([np.zeros(2)], [[0, 1]], ShapeError, "one class label"),
        ([np.zeros(2)], [0.5, 1.5], DTypeError, "cut a continuous target"),
    ],
)
@pytest.mark.parametrize("coding", [DistinctBins(), GaussianNoise(1.0)], ids=repr)
def test_what_is_refused(layers: list, y: list, error: type[Exception], message: str, coding: Coding) -> None:
    with pytest.raises(error, match=message):
        information_plane(layers, y, coding=coding)


@pytest.mark.parametrize(
    "made",
    [
        lambda: DistinctBins(0),
        lambda: DistinctBins(2.5),  # type: ignore[arg-type]
        lambda: EqualWidthBins(0),
        lambda: EqualWidthBins(3, (1.0, 1.0)),
        lambda: EqualWidthBins(3, (0.0, math.inf)),
        lambda: EqualWidthBins(3, (-1.0, 1.0)).codes([[2.0]]),
        lambda: GaussianNoise(0.0),
        lambda: RelativeNoise(math.nan),
    ],
)
def test_codings_out_of_range(made: Callable) -> None:
    with pytest.raises(InvalidInputError):
        made()
