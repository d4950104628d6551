"""The joint law of a mean and a covariance, for which no library of distributions has a class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kullback._ops import Array
from kullback.exact.law import Composite, Law, law
from kullback.exact.positive import lower_factor
from kullback.exact.registry import families


@dataclass(frozen=True)
class NormalInverseWishart(Composite):
    r"""The normal-inverse-Wishart law of a mean μ and a covariance Σ: the conjugate prior of a multivariate normal law.

    $$\Sigma \sim \mathcal W^{-1}(\Psi, \nu), \qquad \mu \mid \Sigma \sim \mathcal N(\mu_0, \Sigma/\lambda)$$

    `loc` is μ₀ of shape (..., d), `precision_scale` λ > 0, `scale_matrix` Ψ, symmetric and positive definite of shape
    (..., d, d), `df` ν > d − 1; arrays of one library, whose gradients the closed forms carry. Where it is given,
    `between` raises `InvalidInputError` naming the parameter outside its domain, or the smallest eigenvalue of Ψ, and
    `ShapeError`. Source: [murphy2007].

    >>> import numpy as np
    >>> import kullback as kb
    >>> from kullback.exact import NormalInverseWishart
    >>> p = NormalInverseWishart(np.array([1.0]), 1.0, np.array([[1.0]]), 4.0)
    >>> q = NormalInverseWishart(np.array([0.0]), 1.0, np.array([[1.0]]), 4.0)
    >>> kb.between(kb.kl, p, q).value  # ½ λ ν (1 − 0)²/Ψ
    2.0
    """

    loc: Array
    precision_scale: Array
    scale_matrix: Array
    df: Array

    def law(self, read: Callable[[Any, str], Law]) -> Law:
        """The record that `between` works on; there are no laws inside for `read` to read."""
        del read
        parameters = {
            "loc": self.loc,
            "precision_scale": self.precision_scale,
            "df": self.df,
            "scale_tril": lower_factor("NormalInverseWishart's scale_matrix", self.scale_matrix),
        }
        return law(families()["normal_inverse_wishart"], parameters, label="NormalInverseWishart")
