"""What the one door to array libraries lets in, what it makes of plain numbers and lists, and what it refuses."""

from __future__ import annotations

import math
import pkgutil
import subprocess
import sys
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import kullback as kb
from kullback import _ops
from kullback._ops import remainders
from problems.backends import BACKENDS, JAX, NUMPY, STRICT, TORCH, Backend
from problems.refusals import raises
from problems.truth import relative_error

EPS = 2.0**-52

every_backend = pytest.mark.parametrize("backend", BACKENDS, ids=repr)


@every_backend
def test_an_array_finds_its_library(backend: Backend) -> None:
    x = backend.array([1.0, 2.0])
    assert backend.name == _ops.ops(x).NAME
    assert _ops.ops(x, 2.0, [1, 2], (3,), True) is _ops.ops(x)
    assert _ops.ops(1.0, [2.0]).NAME == "numpy"


@pytest.mark.parametrize(
    ("one", "other"), [(a, b) for a in BACKENDS for b in BACKENDS if a is not b], ids=lambda b: b.name
)
def test_libraries_are_not_mixed(one: Backend, other: Backend) -> None:
    p, q = one.array([0.5, 0.5]), other.array([0.25, 0.75])
    for call in (kb.kl, kb.kl.of_logits):
        with raises(kb.DTypeError, "two libraries", one.name, other.name, "convert one"):
            call(p, q)


@every_backend
def test_lists_join_any_array(backend: Backend) -> None:
    q = backend.array([0.25, 0.75])
    for p in ([0.5, 0.5], (0.5, 0.5)):
        got = kb.kl(p, q)
        assert isinstance(got, float if backend is NUMPY else backend.kind)
        assert backend.number(got) == pytest.approx(kb.kl([0.5, 0.5], [0.25, 0.75]), rel=4 * EPS)
        assert backend.number(kb.kl(q, p)) == pytest.approx(kb.kl([0.25, 0.75], [0.5, 0.5]), rel=4 * EPS)
    single = kb.kl([0.5, 0.5], backend.array([0.25, 0.75], "float32"))
    assert backend is NUMPY or str(single.dtype).endswith("float32")


def test_plain_python_gives_plain_floats() -> None:
    assert type(kb.kl([0.5, 0.5], [0.25, 0.75])) is float
    assert type(kb.kl.of_logits([0, 1], [1, 0])) is float
    assert type(kb.kl.entropy([0.5, 0.5])) is float
    assert isinstance(kb.kl([[0.5, 0.5]], [0.25, 0.75]), np.ndarray)
    assert isinstance(kb.kl([0.5, 0.5], [0.25, 0.75], keepdims=True), np.ndarray)


@pytest.mark.parametrize("odd", [None, object(), {0.5}, kb, iter([0.5])], ids=lambda x: type(x).__name__)
def test_what_is_no_array(odd: Any) -> None:
    with raises(kb.DTypeError, "expected an array of NumPy, torch, JAX", type(odd).__name__):
        kb.kl(odd, [0.5, 0.5])


def test_frames_and_series_are_told_what_to_do() -> None:
    for labelled in (pd.Series([0.5, 0.5]), pd.DataFrame({"a": [0.5], "b": [0.5]})):
        with raises(kb.DTypeError, "labels; pass by_label=True"):
            kb.kl(labelled, [0.5, 0.5])
    assert kb.kl(pl.Series([0.5, 0.5]), [0.5, 0.5]) == 0.0


@every_backend
def test_types_widen_and_never_narrow(backend: Backend) -> None:
    p, q = backend.array([[0.25, 0.75]], "float32"), backend.array([0.5, 0.5])
    for call in (kb.js, kb.js.of_logits):
        assert backend.numpy(call(p, q)).dtype == np.float64
        assert backend is TORCH or backend.numpy(call(p, p)).dtype == np.float32
    whole = backend.array([1, 0], "int64"), backend.array([0, 1], "int32")
    assert backend.number(kb.js(*whole)) == math.log(2)
    assert backend.number(kb.js.of_logits(*whole)) > 0


def test_subclasses_are_their_ancestors() -> None:
    class Mine(np.ndarray):
        pass

    p = np.array([0.5, 0.5]).view(Mine)
    assert kb.kl(p, p) == 0.0
    weights = torch.nn.Parameter(torch.tensor([0.0, 1.0]))
    kb.kl.of_logits(torch.tensor([1.0, 0.0]), weights).backward()
    assert weights.grad is not None


@every_backend
def test_every_backend_offers_the_same_names(backend: Backend) -> None:
    """A formula that runs on one library runs on all of them."""
    namespace = _ops.ops(backend.array([1.0]))
    own = {name for name, f in vars(import_module("kullback._ops.numpy")).items() if callable(f)}
    typing = {"Callable", "Sequence", "AbstractContextManager", "Any"}
    wanted = {name for name in own if not name.startswith("_")} - typing
    assert [name for name in sorted(wanted) if not hasattr(namespace, name)] == []


def test_nothing_is_loaded_that_the_caller_did_not_bring() -> None:
    program = """
import sys, kullback as kb
kb.kl([0.5, 0.5], [0.25, 0.75]); kb.kl.of_logits([0, 1], [1, 0]); kb.catalogue(); str(kb.catalogue())
print([name for name in ("torch", "jax", "pandas", "polars", "numba", "array_api_strict") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


EXACT = {
    "second_remainder": lambda x: (mp.exp(x) - 1 - x) / x**2,
    "exp_remainder": lambda x: mp.exp(x) - 1 - x,
}


@every_backend
@pytest.mark.parametrize("name", EXACT)
def test_remainders_to_the_last_bits(backend: Backend, name: str) -> None:
    sizes = np.array([1e-300, 1e-17, 1e-9, 1e-3, 0.1, 0.4999, 0.5, 0.5001, 0.7, 1.0, 3.0, 30.0])
    x = np.concatenate([-sizes, sizes])
    got = backend.numpy(getattr(remainders, name)(backend.array(x)))
    with mp.workdps(700):
        for g, v in zip(got, x, strict=True):
            true = EXACT[name](mp.mpf(float(v)))
            assert relative_error(g, true) < 6 * EPS or abs(true) < 1e-300, v


@every_backend
def test_error_free_sums(backend: Backend) -> None:
    """A sum in twice the precision, of any length."""
    from kullback.divergences.simplex import exact_sum

    rng = np.random.default_rng(120)
    for n in (1, 2, 3, 7, 64, 101):
        x = np.exp(rng.uniform(-30, 30, size=n))
        high, low = exact_sum(_ops.ops(backend.array(x)), backend.array(x))
        with mp.workdps(60):
            true = mp.fsum(map(mp.mpf, map(float, x)))
            got = mp.mpf(backend.number(high[0])) + mp.mpf(backend.number(low[0]))
            assert abs(got - true) <= true * mp.mpf(2) ** -98 * n


def test_long_vectors_and_many_rows_are_summed_alike() -> None:
    """Blocks that stay in cache change the order of a sum, not its digits."""
    rng = np.random.default_rng(121)
    for shape in ((3, 100_000), (50_000, 3), (2, 3, 40_000), (200_001,)):
        p, q = rng.dirichlet(np.ones(shape[-1]), size=(2, *shape[:-1]))
        whole = np.sum(p * np.log(p / q), axis=-1)
        np.testing.assert_allclose(kb.kl(p, q), whole, rtol=1e-11, atol=1e-15)
        np.testing.assert_allclose(kb.kl.of_logits(np.log(p), np.log(q)), whole, rtol=1e-11, atol=1e-15)
        np.testing.assert_allclose(kb.kl(p[..., ::-1], q[..., ::-1]), kb.kl(p, q), rtol=8 * EPS)
        last = (-1,) * (len(shape) - 1)
        np.testing.assert_allclose(np.asarray(kb.kl(p, q))[last], kb.kl(p[last], q[last]), rtol=8 * EPS)


def test_the_backends_are_all_here() -> None:
    """A new file in _ops/ that is a backend joins the tests."""
    files = {info.name for info in pkgutil.iter_modules(_ops.__path__)}
    assert files == {"numpy", "torch", "jax", "standard", "remainders"}
    assert {NUMPY.name, TORCH.name, JAX.name, STRICT.name} == {"numpy", "torch", "jax", "array_api_strict"}
    assert jnp.asarray(1.0).dtype == np.float64


@every_backend
def test_unchecked_calls_still_check_shapes_and_types(backend: Backend) -> None:
    """`validate=False` looks at no value: sums may differ from 1, and a NaN comes out in its row, and there only."""
    p, q = backend.array([0.5, 0.25]), backend.array([0.25, 0.75])
    expected = 0.5 * math.log(2) + 0.25 * math.log(1 / 3) + 0.25
    assert backend.number(kb.kl(p, q, validate=False)) == pytest.approx(expected)
    terms = backend.numpy(kb.kl.terms(p, q, validate=False))
    assert terms.shape == (2,)
    assert terms.sum() == pytest.approx(expected)
    odd = backend.array([[math.nan, 0.5], [0.5, math.nan], [-0.5, 1.5], [0.5, 0.5]])
    for d in (kb.kl, kb.js, kb.total_variation, kb.neyman_chi2, kb.renyi(2), kb.cauchy_schwarz):
        for rows in (d(odd, q, validate=False), d(q, odd, validate=False)):
            assert list(np.isnan(backend.numpy(rows)))[:2] == [True, True], d
            assert math.isfinite(backend.numpy(rows)[3]), d
    with pytest.raises(kb.ShapeError):
        kb.kl(p, backend.array([0.25, 0.25, 0.5]), validate=False)


def test_a_traced_nan_is_not_lost() -> None:
    """Nobody can look at a value while it is traced."""
    p, q = JAX.array([math.nan, 0.5]), JAX.array([0.25, 0.75])
    assert math.isnan(jax.jit(kb.kl)(p, q))
