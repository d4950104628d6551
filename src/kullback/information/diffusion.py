"""Random walks among points: the entropy of their spectrum, and what classes tell of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import stdtrit

from kullback._ops import Array, Namespace, ops
from kullback.answer import Answer
from kullback.divergences import simplex
from kullback.divergences.kernels import Kernel
from kullback.errors import InvalidInputError, ShapeError
from kullback.information.spectrum import eigenvalue_shares, kernel_matrix, renyi_of_shares


def diffusion_spectrum(points: Any, *, kernel: Kernel, time: float = 1.0, anisotropy: float = 0.0) -> Array:
    r"""The eigenvalues of a random walk among points after some time, as shares, from the smallest.

    $$\alpha_i = \frac{\lambda_i^t}{\sum_j \lambda_j^t}, \qquad
    \lambda = \operatorname{eig}\, D^{-1/2} G D^{-1/2}, \quad G = \Delta^{-a} K \Delta^{-a}$$

    with the kernel's matrix K, Δ its row sums, D those of G, t = `time` > 0 and a = `anisotropy` in [0, 1]: 0 is the
    plain walk, ½ and 1 take part or all of the points' density out. `points` are those of `kernel_matrix`. Raises
    `InvalidInputError` for a kernel that is not positive. Source: [coifman2006], [liao2024].

    >>> import kullback as kb
    >>> diffusion_spectrum([0.0, 0.0, 9.0], kernel=kb.GaussianKernel(1.0)).round(6).tolist()
    [0.0, 0.5, 0.5]
    """
    if not 0 < time < math.inf or not 0 <= anisotropy <= 1:
        raise InvalidInputError(
            f"expected a `time` above 0 and an `anisotropy` from 0 to 1, got {time!r} and {anisotropy!r}"
        )
    g = kernel_matrix(points, kernel=kernel)
    xp = ops(g)
    if xp.concrete(g) and xp.extremes(g)[0] < 0:
        raise InvalidInputError(f"{kernel!r} has negative values; a walk needs a kernel like GaussianKernel")
    if anisotropy:
        g = _scaled(xp, g, anisotropy)
    values = eigenvalue_shares(xp, _scaled(xp, g, 0.5))
    live = values > 0
    powers = xp.where(live, xp.exp(time * xp.log(xp.where(live, values / values[-1], 1.0))), 0.0)
    return powers / xp.sum(powers)


def diffusion_entropy(points: Any, *, kernel: Kernel, time: float = 1.0, anisotropy: float = 0.0) -> Array:
    r"""Diffusion spectral entropy: how many directions a random walk among points still tells apart, in nats.

    $$-\sum_i \alpha_i \log \alpha_i$$

    of the shares α of `diffusion_spectrum`, whose arguments and errors these are. After a long time it is the logarithm
    of the number of clusters that no step joins. Source: [liao2024].

    >>> import kullback as kb
    >>> round(float(diffusion_entropy([0.0, 0.1, 30.0, 30.1], kernel=kb.GaussianKernel(1.0), time=1000)), 6)  # log 2
    0.693147
    """
    shares = diffusion_spectrum(points, kernel=kernel, time=time, anisotropy=anisotropy)
    xp = ops(shares)
    return simplex.plain(xp, renyi_of_shares(xp, shares, 1.0))


def diffusion_information(
    points: Any,
    labels: Any,
    *,
    kernel: Kernel,
    time: float = 1.0,
    anisotropy: float = 0.0,
    draws: int = 5,
    level: float = 0.95,
    seed: int = 0,
) -> Answer:
    r"""Diffusion spectral mutual information: by how much points of one class are less diverse than as many of all.

    $$\sum_c \frac{n_c}{n} \Big(E\big[S(Z_{n_c})\big] - S(Z \mid Y = c)\Big)$$

    with S the `diffusion_entropy`, and Z_m a random choice of m of the n points, `draws` times, so that sizes do not
    matter. `labels` are n classes; cut a continuous variable into some first. Near 0 where the labels tell nothing, and
    then as often below it. The interval is that of the mean over the draws, at `level`: it does not tell what other
    points would give. In nats.

    Raises `ShapeError` where the lengths differ, `InvalidInputError` for fewer than 2 draws, and what
    `diffusion_entropy` raises. Source: [liao2024].

    >>> import kullback as kb
    >>> z, y = [0.0, 0.0, 50.0, 50.0], ["a", "a", "b", "b"]
    >>> found = diffusion_information(z, y, kernel=kb.GaussianKernel(1.0), draws=400)
    >>> found.low < 0.462098 < found.high  # two points of four differ in class 2 times of 3: 2/3 log 2
    True
    """
    z, y = np.asarray(points, dtype=float), np.asarray(labels)
    if y.shape != z.shape[:1]:
        raise ShapeError(
            f"`labels` has shape {y.shape} and `points` {z.shape}; expected one label for each point"
        )
    if draws != int(draws) or draws < 2 or not 0 < level < 1:
        raise InvalidInputError(
            f"expected 2 `draws` or more and a `level` between 0 and 1, got {draws!r} and {level!r}"
        )

    def entropy(rows: np.ndarray) -> float:
        return float(diffusion_entropy(z[rows], kernel=kernel, time=time, anisotropy=anisotropy))

    rng, n = np.random.default_rng(seed), len(y)
    _, codes, sizes = np.unique(y, return_inverse=True, return_counts=True)
    shares = sizes / n
    within = shares @ [entropy(np.flatnonzero(codes == c)) for c in range(len(sizes))]
    among = [shares @ [entropy(rng.permutation(n)[:m]) for m in sizes] for _ in range(int(draws))]
    method = f"diffusion spectra, {int(draws)} draws of each size"
    return _mean(np.array(among) - within, level, method, n)


def _mean(draws: np.ndarray, level: float, method: str, n: int) -> Answer:
    value, error = float(draws.mean()), float(draws.std(ddof=1)) / math.sqrt(len(draws))
    reach = error * float(stdtrit(len(draws) - 1, 0.5 + level / 2))
    low, high = value - reach, value + reach
    return Answer(value, low, high, level=level, kind="monte-carlo", method=method, n=n, standard_error=error)


def _scaled(xp: Namespace, g: Array, power: float) -> Array:
    factor = xp.exp(-power * xp.log(xp.sum(g)))
    return factor[:, None] * g * factor[None, :]
