"""The promises on awkward logits, one test a row (L1 to L9), over libraries and over every divergence."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import kullback as kb
from problems import pairs
from problems.backends import BACKENDS, JAX, TORCH, Backend
from problems.listed import BUILT_IN, ORIGINALS, leeway
from problems.truth import relative_error, truth_of

EPS = 2.0**-52
INF = math.inf

every_backend = pytest.mark.parametrize("backend", BACKENDS, ids=repr)


def value_and_gradients(d: kb.FDivergence, a: Any, b: Any, dtype: str = "float64") -> tuple[float, list[Any]]:
    """Of torch; no NaN anywhere on the way."""
    x, y = (TORCH.array(v, dtype).requires_grad_() for v in (a, b))
    total = d.of_logits(x, y)
    return float(total.detach().sum()), list(torch.autograd.grad(total.sum(), (x, y)))


@every_backend
def test_L1_masked_in_both(backend: Backend) -> None:
    a, b = [1.0, -INF, 0.3, 2.0], [0.5, -INF, 0.1, 2.5]
    for d in ORIGINALS:
        got = backend.value(d.of_logits, a, b)
        without = backend.value(d.of_logits, [1.0, 0.3, 2.0], [0.5, 0.1, 2.5]) if backend is not JAX else got
        assert got == pytest.approx(without, rel=8 * EPS * leeway(d)), d
        assert relative_error(got, truth_of(d).of_logits(a, b)) <= 5e-15 * leeway(d), d
        if backend is TORCH:
            for gradient in value_and_gradients(d, a, b)[1]:
                assert torch.isfinite(gradient).all(), d
                assert gradient[1] == 0, d
        assert backend.value(d.of_logits, a, a) == 0.0, d


@every_backend
def test_L2_masked_in_p_only(backend: Backend) -> None:
    a, b = [1.0, -INF, 0.3, 2.0], [0.5, 0.0, 0.1, 2.5]
    for d in ORIGINALS:
        got = backend.value(d.of_logits, a, b)
        assert got == INF if d.at_zero == INF else math.isfinite(got), d
        assert relative_error(got, truth_of(d).of_logits(a, b)) <= 5e-15 * leeway(d), d
        if backend is TORCH:
            to_a, to_b = value_and_gradients(d, a, b)[1]
            assert torch.isfinite(to_a).all(), d
            assert torch.isfinite(to_b).all(), d
            # mass that q has where p has none is taken away, wherever it costs something
            assert to_b[1] > 0 or d.at_zero == INF, d


@every_backend
def test_L3_masked_in_q_only(backend: Backend) -> None:
    """Infinite where f is; the gradient is then that of the finite part, never NaN."""
    a, b = [1.0, 0.0, 0.3, 2.0], [0.5, -INF, 0.1, 2.5]
    for d in ORIGINALS:
        got = backend.value(d.of_logits, a, b)
        assert got == INF if d.at_infinity == INF else math.isfinite(got), d
        assert relative_error(got, truth_of(d).of_logits(a, b)) <= 5e-15 * leeway(d), d
        if backend is TORCH:
            for gradient in value_and_gradients(d, a, b)[1]:
                assert torch.isfinite(gradient).all(), d
    batch = backend.numpy(kb.kl.of_logits(backend.array([a, a]), backend.array([b, [0.5, 0.0, 0.1, 2.5]])))
    assert batch[0] == INF
    assert math.isfinite(batch[1])


@every_backend
def test_L4_a_row_without_classes(backend: Backend) -> None:
    """NaN stays in its row; a full look at the values refuses it."""
    a, b = [[-INF] * 3, [0.0, 1.0, 2.0]], [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]
    for d in ORIGINALS:
        for x, y in ((a, b), (b, a)):
            rows = backend.numpy(d.of_logits(backend.array(x), backend.array(y)))
            assert math.isnan(rows[0]), d
            assert rows[1] == pytest.approx(d.of_logits(np.array(x[1]), np.array(y[1])), rel=1e-13), d
    if backend is TORCH:
        for d in ORIGINALS:
            for gradient in value_and_gradients(d, a, b)[1]:
                assert torch.isfinite(gradient[1]).all(), d
    with pytest.raises(kb.InvalidInputError, match="`a` has a row of -inf only"):
        kb.kl.of_logits(backend.array(a), backend.array(b), validate=True)
    for bad in (math.nan, INF):
        with pytest.raises(kb.InvalidInputError, match="`b` has NaN or \\+inf"):
            kb.kl.of_logits(backend.array([0.0, 1.0]), backend.array([bad, 1.0]), validate=True)


@every_backend
def test_L5_large_logits(backend: Backend) -> None:
    """±1e4, and ±6e4 in half precision."""
    pairs_of_logits = [
        ([1e4, 0.0, -1e4], [1e4, 1.0, -1e4]),
        ([1e4, 1e4 - 1, -1e4], [1e4 - 2, 1e4, 0.0]),
        ([1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]),
    ]
    for d in BUILT_IN:
        for a, b in pairs_of_logits:
            got, true = backend.value(d.of_logits, a, b), truth_of(d).of_logits(a, b)
            if true > np.finfo(float).max:
                assert got == INF, d
            else:
                assert relative_error(got, true) <= 1e-11 or abs(got - true) < 1e-300, (d, a, b)
    a, b = [6e4, 6e4 - 32, -6e4], [6e4 - 64, 6e4, -6e4]
    halves = {"torch": ("float16", "bfloat16"), "jax": ("float16", "bfloat16"), "numpy": ("float16",)}
    for dtype in halves.get(backend.name, ()):
        x, y = (backend.array(v, dtype) for v in (a, b))
        wide = [backend.numpy(v).astype(np.float64) for v in (x, y)]
        for d in (kb.kl, kb.js, kb.reverse_kl, kb.jeffreys):
            assert relative_error(backend.number(d.of_logits(x, y)), truth_of(d).of_logits(*wide)) < 1e-6, d


@every_backend
def test_L6_a_constant_changes_nothing(backend: Backend) -> None:
    """Beyond the rounding of the logits themselves, which is removed here: they are multiples of 2⁻³⁰."""
    rng = np.random.default_rng(70)
    a, b = (np.round(x * 2**30) / 2**30 for x in pairs.logits(rng, 6, 1.0, 1e-3))
    for d in BUILT_IN:
        shifted = backend.value(d.of_logits, a + 16384.0, b - 8192.0)
        # the mean of the difference is formed at the size of the constants
        assert shifted == pytest.approx(backend.value(d.of_logits, a, b), rel=4 * EPS * 24576 / 1e-3), d


@every_backend
def test_L7_both_far_below_the_smallest_float(backend: Backend) -> None:
    """Log-probabilities under −104, where both probabilities are 0 in single precision."""
    a, b = [0.0, -110.0, -150.0, -600.0], [-0.5, -105.0, -160.0, -500.0]
    for d in BUILT_IN:
        got = backend.value(d.of_logits, a, b, "float32")
        true = truth_of(d).of_logits(a, b)
        if true > np.finfo(np.float32).max:
            assert got == INF, d
        elif true < 1e-37:
            assert 0 <= got <= 1e-37, d
        else:
            assert relative_error(got, true) < 2e-6 * (1 + d.steepness) * 10, d
    if backend is TORCH:
        for d in ORIGINALS:
            for gradient in value_and_gradients(d, a, b, "float32")[1]:
                assert torch.isfinite(gradient).all(), d


@pytest.mark.parametrize("backend", [TORCH, JAX], ids=repr)
def test_L8_single_against_half_precision(backend: Backend) -> None:
    """Student in float32, teacher in bfloat16: raised first, never negative, exact for the numbers given."""
    rng = np.random.default_rng(71)
    student = rng.standard_normal((40, 50)).astype(np.float32)
    teacher, mine = backend.array(student, "bfloat16"), backend.array(student, "float32")
    wide = backend.numpy(teacher).astype(np.float64)
    for d in BUILT_IN:
        got = d.of_logits(teacher, mine)
        assert str(got.dtype).endswith("float32")
        assert (backend.numpy(got) >= 0).all(), d
        for row in range(2):
            true = truth_of(d).of_logits(wide[row], student[row].astype(np.float64))
            assert relative_error(float(got[row]), true) < 2e-6, d


def test_L9_equal_bfloat16_logits_over_a_whole_vocabulary() -> None:
    logits = torch.randn(2, 248_320, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    for d in (kb.kl, kb.js, kb.alpha(0.3), kb.total_variation):
        assert (d.of_logits(logits, logits.clone()) == 0).all(), d
    by_jax = jnp.asarray(logits.float().numpy(), dtype=jnp.bfloat16)
    assert (kb.kl.of_logits(by_jax, by_jax) == 0).all()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("compiler", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_L9_equal_bfloat16_logits_compiled(compiler: str) -> None:
    logits = torch.randn(2, 248_320, generator=torch.Generator().manual_seed(1)).to(torch.bfloat16)
    compiled = torch.compile(kb.kl.of_logits, fullgraph=True, backend=compiler)
    assert (compiled(logits, logits.clone()) == 0).all()
