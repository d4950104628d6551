"""Maximum mean discrepancy and energy distance: how far apart the means of a kernel's features are."""

from __future__ import annotations

from dataclasses import dataclass

from kullback._ops import Array, Namespace
from kullback.divergences.kernels import DistanceKernel, Kernel, distance
from kullback.divergences.masses import Masses
from kullback.divergences.placed import Placed, cumulated_gap, gap
from kullback.errors import InvalidInputError


@dataclass(frozen=True, repr=False)
class MMD(Placed):
    r"""The maximum mean discrepancy of a kernel k: the distance of two mean embeddings, not its square.

    $$\mathrm{MMD}(p, q) = \sqrt{E\,k(X, X') + E\,k(Y, Y') - 2 E\,k(X, Y)}
    = \Big(\sum_{ij} (p_i - q_i)\, k(x_i, x_j)\, (p_j - q_j)\Big)^{1/2}$$

    with X, X' drawn from p and Y, Y' from q. A metric where k is characteristic. Computed from p − q, so that nothing
    large cancels; n points take n² numbers of memory, except for `DistanceKernel` on the line. Source: [gretton2012].

    >>> import kullback as kb
    >>> round(kb.mmd(kb.GaussianKernel(1.0))([1.0, 0.0], [0.0, 1.0], positions=[0.0, 1.0]), 6)
    0.887096
    """

    kernel: Kernel
    unit = "units of √k"

    @property
    def name(self) -> str:
        return f"mmd({self.kernel.name})"

    @property
    def formula(self) -> str:
        return r"\Big(\sum_{ij} (p_i - q_i)\, k(x_i, x_j)\, (p_j - q_j)\Big)^{1/2}"

    def _on_points(self, xp: Namespace, pair: Masses, x: Array) -> Array:
        if isinstance(self.kernel, DistanceKernel):
            return distance(_energy(xp, pair, x))
        # a root of what rounding leaves of 0 is 0
        return distance(_form(xp, self.kernel, pair, x))


@dataclass(frozen=True, repr=False)
class EnergyDistance(Placed):
    r"""The energy distance, in the unit of x: the square of the MMD of $-\|x - y\|$.

    $$2 E\|X - Y\| - E\|X - X'\| - E\|Y - Y'\| = 2 \int (F(x) - G(x))^2\, dx \text{ on the line}$$

    with X, X' drawn from p and Y, Y' from q, and their distribution functions F and G. Its square root is a metric.
    On the line exact by one sum over the sorted atoms. Source: [szekely2013].

    >>> import kullback as kb
    >>> kb.energy_distance([1.0, 0.0], [0.0, 1.0], positions=[2.0, 5.0])
    6.0
    """

    name = "energy_distance"
    formula = r"2 E|X - Y| - E|X - X'| - E|Y - Y'|"

    def _on_points(self, xp: Namespace, pair: Masses, x: Array) -> Array:
        return _energy(xp, pair, x)


def _energy(xp: Namespace, pair: Masses, x: Array) -> Array:
    if x.ndim == 2:
        return _form(xp, DistanceKernel(), pair, x)
    places, _, ahead = cumulated_gap(xp, pair, x)
    return 2.0 * xp.sum(ahead[..., :-1] ** 2 * (places[1:] - places[:-1]))


def _form(xp: Namespace, kernel: Kernel, pair: Masses, x: Array) -> Array:
    points = x if x.ndim == 2 else x[:, None]
    steps = points[:, None, :] - points[None, :, :]
    change = gap(xp, pair)
    pull = xp.sum(kernel(xp.sum(steps * steps)) * change[..., None, :])
    return xp.sum(change * pull)


def mmd(kernel: Kernel) -> MMD:
    r"""The maximum mean discrepancy of that kernel: $\sqrt{E\,k(X, X') + E\,k(Y, Y') - 2 E\,k(X, Y)}$.

    `kernel` is one of `GaussianKernel(h)`, `LaplacianKernel(h)` and `DistanceKernel()`, or another `Kernel`; anything
    else raises `InvalidInputError`. Source: [gretton2012].

    >>> import kullback as kb
    >>> kb.mmd(kb.DistanceKernel())([0.5, 0.5], [0.5, 0.5], positions=[0.0, 2.0])
    0.0
    """
    if not isinstance(kernel, Kernel):
        raise InvalidInputError(
            f"mmd needs a kernel, got {type(kernel).__name__}; pass GaussianKernel(bandwidth), "
            "LaplacianKernel(bandwidth) or DistanceKernel()"
        )
    return MMD(kernel)


energy_distance = EnergyDistance()
