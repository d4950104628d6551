"""The same number however it is asked for: probabilities or logits, this library or that, compiled or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import pytest
import torch

import kullback as kb
from kullback import FDivergence
from problems import pairs
from problems.backends import BACKENDS, JAX, NUMPY, STRICT, TORCH, Backend
from problems.listed import KINDS, NUMPY_USERS, ORIGINALS, compiled, leeway

EPS = 2.0**-52

every_original = pytest.mark.parametrize("d", ORIGINALS, ids=repr)
every_backend = pytest.mark.parametrize("backend", BACKENDS, ids=repr)


def mass_pairs() -> pairs.Pair:
    """Near and far, with zeros on either side: one batch, because compilers ask for one shape."""
    rng = np.random.default_rng(50)
    groups = (
        pairs.far_apart(rng, 7, 10),
        pairs.near_equal(rng, 7, 1e-3, 10),
        pairs.near_equal(rng, 7, 1e-9, 10),
        pairs.with_zeros(rng, 7, 10),
    )
    p, q = (np.concatenate(side) for side in zip(*groups, strict=True))
    return p, q


def logit_pairs() -> pairs.Pair:
    rng = np.random.default_rng(51)
    groups = [
        pairs.logits(rng, 7, scale, delta, 10) for scale, delta in ((1, 1), (5, 1e-3), (1, 1e-9), (3, 3))
    ]
    a, b = (np.concatenate(side) for side in zip(*groups, strict=True))
    a[3, 2] = b[3, 2] = a[4, 1] = b[5, 0] = a[13, 4] = b[13, 4] = -np.inf
    return a, b


@every_original
@pytest.mark.parametrize("backend", [TORCH, JAX, STRICT], ids=repr)
def test_every_library_gives_the_numbers_of_numpy(d: FDivergence, backend: Backend) -> None:
    """To four roundings from masses, sixteen from logits."""
    tolerance = 4 * EPS * (1 + d.steepness) * leeway(d)
    # a user's kink is resolved to the rounding of t, which libraries do differently
    atol = 0.0 if d.curvature_at_one is not None or leeway(d) == 1 else 4 * EPS
    p, q = mass_pairs()
    got = d(backend.array(p), backend.array(q))
    assert isinstance(got, backend.kind)
    np.testing.assert_allclose(backend.numpy(got), d(p, q), rtol=tolerance, atol=atol)
    a, b = logit_pairs()
    got = d.of_logits(backend.array(a), backend.array(b))
    assert isinstance(got, backend.kind)
    np.testing.assert_allclose(backend.numpy(got), d.of_logits(a, b), rtol=4 * tolerance, atol=atol)


@every_original
@every_backend
def test_single_precision_stays_single_and_close(d: FDivergence, backend: Backend) -> None:
    for function, pair in ((d, mass_pairs()), (d.of_logits, logit_pairs())):
        x, y = (side[:20].astype(np.float32) for side in pair)
        got = function(backend.array(x, "float32"), backend.array(y, "float32"))
        assert backend.numpy(got).dtype == (np.float64 if backend is TORCH else np.float32)
        assert backend is not TORCH or got.dtype is torch.float32
        wide = function(x.astype(np.float64), y.astype(np.float64))
        rounding = 2e-6 * (1 + 0.2 * d.steepness)
        np.testing.assert_allclose(backend.numpy(got), wide, rtol=rounding, atol=1e-45)


@every_original
def test_probabilities_log_probabilities_and_logits_agree(d: FDivergence) -> None:
    """Zeros are −inf. The value of each form is exact for its own rounded input, which is what still differs."""
    rng = np.random.default_rng(52)
    p, q = pairs.with_zeros(rng, 6, 30)
    with np.errstate(divide="ignore"):
        a, b = np.log(p), np.log(q)
    value = d(p, q)
    np.testing.assert_allclose(d.of_logits(a, b), value, rtol=1e-13 * (1 + d.steepness) * leeway(d))
    shifted = d.of_logits(a + rng.standard_normal((30, 1)), b - 7.0)
    np.testing.assert_allclose(shifted, value, rtol=1e-13 * (1 + d.steepness) * leeway(d))
    assert np.all(
        np.isinf(value)
        == (np.any((p > 0) & (q == 0), axis=-1) & np.isinf(d.at_infinity))
        | (np.any((q > 0) & (p == 0), axis=-1) & np.isinf(d.at_zero))
    )


@every_original
def test_gradients_through_softmax_are_those_of_the_logits(d: FDivergence) -> None:
    a, b = (x[:6] for x in logit_pairs())

    def towards(function: Callable[[Any, Any], Any]) -> list[torch.Tensor]:
        inputs = [TORCH.array(x).requires_grad_() for x in (a, b)]
        return list(torch.autograd.grad(function(*inputs).sum(), inputs))

    direct = towards(d.of_logits)
    through_masses = towards(lambda x, y: d(torch.softmax(x, -1), torch.softmax(y, -1)))
    through_logs = towards(lambda x, y: d.of_logits(torch.log_softmax(x, -1), torch.log_softmax(y, -1)))
    finite = torch.tensor(np.isfinite(d.of_logits(a, b)))
    for mine, other, third in zip(direct, through_masses, through_logs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-11 * leeway(d), atol=1e-14 * leeway(d))
        # autograd's own log_softmax leaves NaN in a row that has −inf; elsewhere the three agree
        usable = finite & torch.isfinite(third).all(dim=-1)
        assert usable.any()
        torch.testing.assert_close(
            mine[usable], third[usable], rtol=1e-11 * leeway(d), atol=1e-14 * leeway(d)
        )


def both_forms() -> Iterator[tuple[str, pairs.Pair]]:
    yield "masses", tuple(x[26:38] for x in mass_pairs())
    yield "logits", tuple(x[:12] for x in logit_pairs())


def compiled_and_eager(d: FDivergence, backend: str) -> None:
    for form, (x, y) in both_forms():
        function = d if form == "masses" else d.of_logits

        def loss(u: torch.Tensor, v: torch.Tensor, call: Any = function) -> torch.Tensor:
            return call(u, v)

        torch.compiler.reset()
        fast = torch.compile(loss, fullgraph=True, backend=backend)
        results = []
        for run in (fast, loss):
            inputs = [TORCH.array(side).requires_grad_() for side in (x, y)]
            value = run(*inputs)
            # infinite rows have gradients too, those of their finite part
            results.append([value.detach(), *torch.autograd.grad(value, inputs, torch.ones_like(value))])
        for mine, other in zip(*results, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-13 * leeway(d), atol=1e-15)


compiling = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the compiler's, about its own ways


@compiling
@pytest.mark.parametrize("d", compiled(ORIGINALS), ids=repr)
def test_torch_compiles_into_one_graph(d: FDivergence) -> None:
    compiled_and_eager(d, "aot_eager")


@compiling
@pytest.mark.slow
@pytest.mark.parametrize("d", KINDS, ids=repr)
def test_torch_compiles_to_machine_code(d: FDivergence) -> None:
    compiled_and_eager(d, "inductor")


def test_torch_compiles_on_the_first_call() -> None:
    """In an interpreter that has not yet seen a tensor: nothing may have to be loaded on the way."""
    import subprocess
    import sys

    program = """
import torch, kullback as kb
loss = torch.compile(lambda x, y: kb.kl.of_logits(x, y).sum(), fullgraph=True, backend="eager")
print(loss(torch.zeros(2, 3), torch.ones(2, 3)).item())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "0.0", done.stderr


def test_jax_without_double_precision() -> None:
    """Float64 input is float32 then, as everywhere in JAX, and the answer still has its digits."""
    p, q = (x[:20] for x in mass_pairs())
    with jax.enable_x64(False):
        got = kb.js(JAX.make(p, "float32"), JAX.make(q, "float32"))
        assert got.dtype == np.float32
        counts = kb.kl(
            JAX.make(np.array([3, 5, 7]), "int32"), JAX.make(np.array([30, 50, 70]), "int32"), counts=True
        )
        assert float(counts) == 0
    single = [x.astype(np.float32).astype(np.float64) for x in (p, q)]
    np.testing.assert_allclose(np.asarray(got), kb.js(*single), rtol=2e-6)


@pytest.mark.parametrize("d", NUMPY_USERS, ids=repr)
def test_a_function_of_one_library_says_so_on_another(d: FDivergence) -> None:
    p, q = mass_pairs()
    np.testing.assert_allclose(d(p, q), kb.kl(p, q), rtol=1e-13)
    with pytest.raises(kb.DTypeError, match="numpy_kl"):
        jax.jit(d)(JAX.array(p), JAX.array(q))
    with pytest.raises(kb.DTypeError, match="numpy_kl"):
        d(TORCH.array(p), TORCH.array(q).requires_grad_())


def test_torch_user_function_without_a_derivative() -> None:
    """Autodiff finds the slope, and second order follows."""
    d = FDivergence.from_generator(lambda t: t * torch.log(t), name="torch_kl")
    a, b = (TORCH.array(x[:10]).requires_grad_() for x in logit_pairs())
    mine = torch.autograd.grad(d.of_logits(a, b).sum(), (a, b))
    true = torch.autograd.grad(kb.kl.of_logits(a, b).sum(), (a, b))
    for got, expected in zip(mine, true, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-11, atol=1e-14)
    with pytest.raises(kb.DTypeError, match="torch_kl"):
        d.of_logits(NUMPY.array([0.0, 1.0]), NUMPY.array([1.0, 0.0]))
