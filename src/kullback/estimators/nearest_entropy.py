"""The entropy of a density by nearest neighbours, as Kozachenko and Leonenko did, at several k and with an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kullback.estimators import neighbour_jackknife as jackknife
from kullback.estimators import neighbour_reference as reference
from kullback.estimators import neighbour_ties as ties
from kullback.estimators import neighbour_weights as weights
from kullback.estimators.method import EntropyMethod, Estimate
from kullback.estimators.neighbour_average import Priors, alone, averaging
from kullback.estimators.neighbour_balls import balls, checked, enough, levelled, rotated
from kullback.estimators.neighbour_weights import BiasPrior
from kullback.estimators.problem import OneSample
from kullback.estimators.trees import Tree

_SUPPORTED = 4  # columns up to which the interval was seen to cover


@dataclass(frozen=True)
class KozachenkoLeonenko(EntropyMethod):
    r"""The differential entropy from the distances between nearest neighbours.

    $$\hat H = \sum_k w_k \Big[\psi(n) - \psi(k) + \frac1n \sum_i \log \frac{G(B_k(x_i))}{g(x_i)}\Big]$$

    $B_k(x)$ is the cube about x that reaches its k-th neighbour. `k` takes one k, weight 1 and volumes for G: the
    estimator as it was published. Without it, eleven k from one search are combined by weights that remove most of the
    bias, and G is a Gaussian, or a mixture of Gaussians, of the data's shape with density g, under which a
    law like it is estimated without bias. In nats; columns in the caller's units.

    The standard error is the delete-one jackknife less its known excess, and the bias that the weights leave widens the
    interval; in three columns and more, how the estimates change with k says how much that may be. Beyond 4 columns
    there is no interval. An atom, a constant column and columns that depend on each other make the entropy −inf, which
    is then the answer. Refuses discrete columns and weights. Raises `InvalidInputError` for fewer rows than k + 2.
    Source: [kozachenko1987], [berrett2019], [efron1981], [schwarz1978], [hoeting1999].

    >>> import kullback as kb
    >>> from kullback.estimators import KozachenkoLeonenko
    >>> x = [0.0, 1.0, 2.0, 3.0]  # ψ(4) − ψ(1) + log 2 = 1 + 1/2 + 1/3 + log 2
    >>> round(kb.entropy(x, method=KozachenkoLeonenko(k=1)).value, 6)
    2.526481
    """

    k: int | None = None

    def __post_init__(self) -> None:
        checked(self.k, type(self).__name__)

    @property
    def name(self) -> str:
        """The name in an answer."""
        return "Kozachenko-Leonenko" + ("" if self.k is None else f", k={self.k}")

    def refusal(self, problem: OneSample) -> str:
        """Discrete columns and weights are not served."""
        if not problem.x.continuous:
            return f"`{problem.x.name}` has discrete columns; neighbour distances need continuous ones"
        if problem.weights is not None:
            return (
                "neighbours are counted, and rows of different weight are not counts; leave the weights out"
            )
        return ""

    def estimate(self, problem: OneSample) -> Estimate:
        """The entropy, and how sure."""
        x = problem.x
        enough(x, self.k)
        (points,), exponents = levelled(x)
        if reference.flat(points):
            return _nothing("the rows lie on a plane, line or point of their space, where no density exists")
        units = math.log(2.0) * (float(exponents.sum()) + x.dimension * x.exponent)
        base = reference.fit(points) if self.k is None else None
        shape = reference.scatter(points) if base is None else base.shape
        axes = reference.whitening(shape)
        chosen = alone(self.k) if self.k else averaging(x.n, priors(x.dimension))
        tree = Tree(rotated(points, axes))
        found = balls(tree, chosen.ks, reference=None if base is None else base.moved(axes))
        if found.atomic:
            return _nothing(f"a row equals {max(chosen.ks) + 1} or more others, which is an atom")
        values, without = jackknife.entropies(found.reach, found.rows, chosen.ks)
        shares = chosen.shares(values)
        w = shares @ chosen.weights
        excess = weights.entropy_excess(x.dimension).matrix(chosen.ks)
        noise = weights.variance(w, weights.jackknife(without), excess, x.n)
        distrust, notes = ties.verdict(found.tied)
        distrust = distrust or ties.spike(x)
        if x.dimension > _SUPPORTED:
            distrust = (
                distrust or f"the bias in {x.dimension} columns is not known well enough; 4 are supported"
            )
        if self.k is not None:
            notes = (*notes, "one k: the interval tells chance, not the bias of the estimator")
        moved = units - math.log(abs(float(np.linalg.det(axes))))
        value = float(w @ values) + moved
        left = chosen.bias_error(values, shares)
        return Estimate(value, math.sqrt(noise), left, distrust=distrust, notes=notes)


def priors(d: int) -> Priors:
    """What the reference leaves of the bias in d columns: edges, mostly; in three and more it may be little, or much,
    or that of curves, and the curve over k says which.
    """
    if d <= 2:
        return ((1.0, BiasPrior((1 / 2, 1.0), (0.5, 1.0), 1.8)),)
    return (
        (1.0, BiasPrior((1 / 3, 2 / 3), (0.2, 0.5), 2.0)),
        (2.0, BiasPrior((1 / 3, 2 / 3), (1.0, 3.0), 2.0)),
        (1.0, BiasPrior((2 / 3, 4 / 3), (4.0, 15.0), 2.0)),
    )


def _nothing(reason: str) -> Estimate:
    return Estimate(
        -math.inf, 0.0, notes=(f"entropy −inf: {reason}; kind='discrete' counts repeated values",)
    )
