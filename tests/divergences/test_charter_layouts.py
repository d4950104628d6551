"""The promises on shapes, types, layouts, gaps and labels: rows D17 to D34 of the charter."""

from __future__ import annotations

import decimal
import math
import tracemalloc
from pathlib import Path

import mpmath as mp
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse

import kullback as kb
from problems import pairs
from problems.backends import BACKENDS, JAX, NUMPY, TORCH, Backend
from problems.listed import BUILT_IN, ORIGINALS
from problems.refusals import raises
from problems.truth import relative_error, truth_of

EPS = 2.0**-52
TINIEST = 5e-324

every_backend = pytest.mark.parametrize("backend", BACKENDS, ids=repr)


@every_backend
def test_D17_one_category(backend: Backend) -> None:
    for d in ORIGINALS:
        assert backend.value(d, [1.0], [1.0]) == 0.0, d
        assert backend.number(d(backend.array([3.0]), backend.array([7.0]), normalize=True)) == 0.0, d


@every_backend
def test_D18_lengths_that_differ(backend: Backend) -> None:
    with raises(kb.ShapeError, "(3,)", "(2,)"):
        backend.value(kb.kl, [0.2, 0.3, 0.5], [0.5, 0.5])


@every_backend
def test_D19_categories_never_broadcast(backend: Backend) -> None:
    for short in ([1.0], [[1.0], [1.0]]):
        with raises(kb.ShapeError, "categories", "never broadcast"):
            backend.value(kb.kl, [0.2, 0.3, 0.5], short)
    with raises(kb.ShapeError, "(2, 2)", "(3, 2)", "do not broadcast"):
        kb.kl(backend.array([[0.5, 0.5]] * 2), backend.array([[0.5, 0.5]] * 3))
    with raises(kb.ShapeError, "`p`"):
        kb.kl(backend.array(1.0), backend.array([1.0]))


@every_backend
def test_D20_batch_axes_broadcast(backend: Backend) -> None:
    p, q = (np.random.default_rng(62).dirichlet(np.ones(4), size=n) for n in (3, 5))
    grid = backend.numpy(kb.js(backend.array(p[:, None, :]), backend.array(q)))
    assert grid.shape == (3, 5)
    for i in range(3):
        for j in range(5):
            assert grid[i, j] == pytest.approx(kb.js(p[i], q[j]), rel=4 * EPS)


@every_backend
def test_D21_axis_and_keepdims(backend: Backend) -> None:
    p, q = (x.reshape(2, 3, 4) for x in pairs.far_apart(np.random.default_rng(63), 4, 6))
    last = kb.kl(p, q)
    for axis in (0, 1, 2, -1, -2, -3):
        x, y = (backend.array(np.moveaxis(v, -1, axis)) for v in (p, q))
        np.testing.assert_allclose(backend.numpy(kb.kl(x, y, axis=axis)), last, rtol=8 * EPS)
        kept = backend.numpy(kb.kl(x, y, axis=axis, keepdims=True))
        np.testing.assert_allclose(kept, np.expand_dims(last, axis), rtol=8 * EPS)
    for axis in (3, -4):
        with raises(kb.ShapeError, "(2, 3, 4)", f"no axis {axis}"):
            kb.kl(backend.array(p), backend.array(q), axis=axis)
    # an axis counts from the front of the longer one
    np.testing.assert_allclose(
        backend.numpy(kb.kl(backend.array(p), backend.array(q[0, 0]), axis=2)), kb.kl(p, q[0, 0])
    )
    assert backend.numpy(kb.kl(backend.array(p[0, 0]), backend.array(q[0, 0]), keepdims=True)).shape == (1,)


@every_backend
def test_D22_counts_beyond_32_bits(backend: Backend) -> None:
    """Four billion a cell: the products of totals leave 64 bits, and the answer is exact all the same."""
    p, q = [4_000_000_000, 4_000_000_001, 3_999_999_999], [4_000_000_000, 3_999_999_990, 4_000_000_010]
    with mp.workdps(60):
        shares = [[mp.mpf(x) / sum(side) for x in side] for side in (p, q)]
        for d in BUILT_IN:
            got = d(backend.array(p, "int64"), backend.array(q, "int64"), counts=True)
            assert relative_error(backend.number(got), truth_of(d).divergence(*shares)) <= 8 * EPS, d
    with raises(kb.InvalidInputError, "`p` counts", "normalize=True"):
        kb.kl(backend.array([2**53, 2**53], "int64"), backend.array([1, 1], "int64"), counts=True)
    with raises(kb.InvalidInputError, "`q`[1] is 1.5, not a whole number; pass normalize=True instead"):
        kb.kl(backend.array([1.0, 2.0]), backend.array([1.0, 1.5]), counts=True)


@every_backend
def test_D23_small_integers_and_booleans(backend: Backend) -> None:
    wide = kb.js([200, 100, 250], [255, 255, 1], counts=True)
    got = kb.js(backend.array([200, 100, 250], "uint8"), backend.array([255, 255, 1], "uint8"), counts=True)
    assert backend.number(got) == pytest.approx(wide, rel=4 * EPS)
    flags = backend.array([True, False, True], "bool"), backend.array([True, True, True], "bool")
    assert backend.number(kb.js(*flags, counts=True)) == pytest.approx(kb.js([0.5, 0, 0.5], [1 / 3] * 3))
    for options in ({}, {"normalize": True}):
        with raises(kb.DTypeError, "`p` is boolean", "counts=True"):
            kb.js(*flags, **options)


@pytest.mark.parametrize("backend", [NUMPY, TORCH, JAX], ids=repr)
def test_D24_half_precision_counts(backend: Backend) -> None:
    """Their sum is beyond float16."""
    counts = backend.array([4e4, 4e4], "float16")
    assert backend.number(kb.kl.entropy(counts, counts=True)) == math.log(2)
    assert backend.number(kb.kl(counts, backend.array([1, 1], "float16"), counts=True)) == 0.0


@pytest.mark.parametrize("backend", [NUMPY, TORCH, JAX], ids=repr)
def test_D25_half_precision_probabilities(backend: Backend) -> None:
    """Computed in float32 on the masses as they came, and answered in it."""
    for dtype in ("float16",) if backend is NUMPY else ("float16", "bfloat16"):
        p, q = (backend.array(x, dtype) for x in ([0.25, 0.25, 0.5], [0.3, 0.2, 0.5]))
        got = kb.kl(p, q)
        wide = [backend.numpy(x).astype(np.float64) for x in (p, q)]
        assert relative_error(got, truth_of(kb.kl).divergence(*wide)) < 2e-6
        if backend is not NUMPY:
            assert str(got.dtype).endswith("float32")


@every_backend
def test_D26_types_that_are_no_masses(backend: Backend) -> None:
    half = backend.array([0.5, 0.5])
    with raises(kb.DTypeError, "`p` has dtype", "complex128", "convert them to float"):
        kb.kl(backend.array([0.5 + 0j, 0.5], "complex128") if backend is not TORCH else half + 0j, half)
    if backend is NUMPY:
        for odd in (
            np.array(["a", "b"]),
            np.array([decimal.Decimal("0.5")] * 2),
            [decimal.Decimal("0.5")] * 2,
        ):
            with raises(kb.DTypeError, "`q` has dtype"):
                kb.kl(half, odd)
        with raises(kb.DTypeError, "set"):
            kb.kl(half, {0.5})
        with raises(kb.DTypeError, "`q` has dtype <U2"):
            kb.kl(half, "ab")
    else:
        with raises(kb.DTypeError, "two libraries"):
            kb.kl(half, np.array([0.5, 0.5]))


def test_D27_layouts(tmp_path: Path) -> None:
    """Strides, order, direction and read-only maps change no bit, and no input is written to."""
    p, q = pairs.far_apart(np.random.default_rng(64), 6, 4)
    expected = kb.js(p, q)
    np.save(tmp_path / "p.npy", p)
    mapped = np.load(tmp_path / "p.npy", mmap_mode="r")
    strided = np.zeros((8, 12))[::2, ::2]
    strided[...] = p
    for layout in (
        np.asfortranarray(p),
        strided,
        mapped,
        p[::-1][::-1],
        np.ascontiguousarray(p[:, ::-1])[:, ::-1],
    ):
        before = layout.copy()
        np.testing.assert_array_equal(kb.js(layout, q), expected)
        np.testing.assert_array_equal(layout, before)
    for backend in (TORCH, JAX):
        x, y = backend.array(p.T.copy()).T, backend.array(q)
        np.testing.assert_array_equal(backend.numpy(kb.js(x, y)), backend.numpy(kb.js(backend.array(p), y)))


def test_D28_missing_masses() -> None:
    q = [0.25, 0.25, 0.5]
    masked = np.ma.masked_array([0.5, 0.5, 0.0], mask=[False, False, True])
    gaps = {
        "masked": masked,
        "polars": pl.Series([0.5, 0.5, None]),
        "list": [0.5, 0.5, None],
        "nan": [0.5, 0.5, math.nan],
    }
    for name, gap in gaps.items():
        with raises(kb.InvalidInputError, "`p`", "missing='drop'"):
            kb.js(gap, q)
        assert kb.js(gap, q, missing="zero") == pytest.approx(kb.js([0.5, 0.5, 0.0], q)), name
        assert kb.js(gap, q, missing="drop", normalize=True) == pytest.approx(
            kb.js([0.5, 0.5], [0.5, 0.5])
        ), name
        with raises(kb.InvalidInputError, "`q` sums to 0.5"):
            kb.js(
                gap, q, missing="drop"
            )  # what is left of q is no distribution, and nothing is rescaled unasked
    series = pd.Series([0.5, 0.5, pd.NA], index=list("abc"), dtype="Float64")
    labelled = pd.Series(q, index=list("abc"))
    with raises(kb.InvalidInputError, "`p`['c'] is missing", "missing='zero' or missing='drop'"):
        kb.js(series, labelled, by_label=True)
    assert kb.js(series, labelled, by_label=True, missing="zero") == pytest.approx(kb.js([0.5, 0.5, 0.0], q))
    with raises(kb.InvalidInputError, "`missing` is 'ignore'"):
        kb.js(q, q, missing="ignore")  # type: ignore[arg-type]
    assert kb.js(np.ma.masked_array(q), q) == 0.0  # a mask that hides nothing


def test_D29_sparse_masses() -> None:
    rng = np.random.default_rng(65)
    n = 1_000_000
    columns = [rng.choice(n, 10, replace=False) for _ in range(4)]
    columns[1][:4] = columns[0][:4]  # some shared, most not
    masses = [rng.dirichlet(np.ones(10)) for _ in range(4)]
    rows = [
        scipy.sparse.csr_array((m, (np.zeros(10, int), c)), shape=(1, n))
        for m, c in zip(masses, columns, strict=True)
    ]
    dense = [row.toarray()[0] for row in rows]
    tracemalloc.start()
    got = kb.js(rows[0], rows[1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert got == pytest.approx(kb.js(dense[0], dense[1]), rel=1e-15)
    assert peak < 1_000_000  # a dense row would be eight million bytes
    stacked = [scipy.sparse.vstack(rows[i : i + 2]).tocsr() for i in (0, 2)]
    np.testing.assert_allclose(kb.js(*stacked), [kb.js(dense[i], dense[i + 2]) for i in (0, 1)], rtol=1e-15)
    coordinates = [scipy.sparse.coo_array(d) for d in dense[:2]]
    assert kb.js(*coordinates) == pytest.approx(got, rel=1e-15)
    with raises(kb.DTypeError, "`p` is sparse and the other is not"):
        kb.js(rows[0], dense[1])
    with raises(kb.ShapeError, "(1, 1000000)", "(1, 5)"):
        kb.js(rows[0], scipy.sparse.csr_array((1, 5)))


@pytest.mark.parametrize("n", [10**6, pytest.param(10**8, marks=pytest.mark.slow)])
def test_D30_many_categories_in_single_precision(n: int) -> None:
    p = np.full(n, 1 / n, dtype=np.float32)
    assert kb.kl(p, p.copy(), normalize=True) == 0.0
    assert kb.kl.entropy(p, normalize=True) == pytest.approx(math.log(n), rel=1e-7)
    del p


@every_backend
def test_D31_base(backend: Backend) -> None:
    p, q = backend.array([0.5, 0.5]), backend.array([0.25, 0.75])
    nats = backend.number(kb.kl(p, q))
    for base in (2, math.e, 10, 1.5):
        assert backend.number(kb.kl(p, q, base=base)) == pytest.approx(nats / math.log(base), rel=4 * EPS)
        assert backend.number(kb.kl.of_logits(p, q, base=base)) > 0
    for base in (1, 0, -2, 0.5, math.inf, math.nan, "x", True):
        for call in (kb.kl, kb.kl.of_logits):
            with raises(kb.InvalidInputError, f"`base` is {base!r}", "2 for bits"):
                call(p, q, base=base)


@every_backend
def test_D32_renyi_at_its_limits(backend: Backend) -> None:
    p, q = [0.5, 0.3, 0.2, 0.0], [0.25, 0.25, 0.1, 0.4]
    x, y = backend.array(p), backend.array(q)
    assert backend.number(kb.renyi(0)(x, y)) == pytest.approx(-math.log(0.6), rel=4 * EPS)
    assert backend.number(kb.renyi(1)(x, y)) == backend.number(kb.kl(x, y))
    assert backend.number(kb.renyi(math.inf)(x, y)) == pytest.approx(math.log(2), rel=4 * EPS)
    for order in (1 + 1e-12, 1 - 1e-12):
        assert backend.number(kb.renyi(order)(x, y)) == pytest.approx(backend.number(kb.kl(x, y)), rel=1e-11)
    assert backend.number(kb.renyi(1e-12)(x, y)) == pytest.approx(-math.log(0.6), rel=1e-10)
    assert backend.number(kb.renyi(1e6)(x, y)) == pytest.approx(math.log(2), rel=1e-5)
    for order in (-0.5, -math.inf, math.nan, "1", True):
        with raises(kb.InvalidInputError, "renyi needs an order in [0, inf]"):
            kb.renyi(order)  # type: ignore[arg-type]


def test_D33_labels() -> None:
    p, q = {"a": 0.5, "b": 0.5}, {"b": 0.25, "c": 0.75}
    expected = kb.js([0.5, 0.5, 0.0], [0.0, 0.25, 0.75])
    for left, right in (
        (p, q),
        (dict(reversed(p.items())), dict(reversed(q.items()))),
        (pd.Series(p), pd.Series(q)),
        (pd.Series(p)[::-1], q),
    ):
        assert kb.js(left, right, by_label=True) == expected
    counts = {"x": 3, "y": 5}, {"y": 50, "x": 30}
    assert kb.js(*counts, by_label=True, counts=True) == 0.0
    mixed = {1: 0.5, "1": 0.25, (2, 3): 0.25}
    assert kb.total_variation(mixed, {"1": 0.25, 1: 0.5, (2, 3): 0.25}, by_label=True) == 0.0
    with raises(kb.DTypeError, "`p` is a dict with labels; pass by_label=True"):
        kb.js(p, q)
    with raises(kb.DTypeError, "`q` is a list without labels"):
        kb.js(p, [0.5, 0.5], by_label=True)
    with raises(kb.DTypeError, "`p`['a'] is a str; masses are real numbers"):
        kb.js({"a": "1"}, {"a": 1}, by_label=True)
    with raises(kb.InvalidInputError, "need at least one category"):
        kb.js({}, {}, by_label=True)


def test_D34_labels_that_come_twice() -> None:
    twice = pd.Series([0.25, 0.25, 0.5], index=["a", "a", "b"])
    with raises(kb.InvalidInputError, "`q` has the label 'a' twice"):
        kb.js({"a": 0.5, "b": 0.5}, twice, by_label=True)
