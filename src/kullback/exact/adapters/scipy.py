"""Frozen scipy.stats distributions; loc and scale become parameters of the family or affine maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kullback.errors import InvalidInputError, UnsupportedPairError
from kullback.exact.adapters import scipy_matrices
from kullback.exact.degenerate import normal_law
from kullback.exact.law import Family, Law, Support, law
from kullback.exact.registry import families
from kullback.exact.transform import Transform

MODULE = "scipy.stats"

# name in SciPy → family and, from shape parameters, loc and scale, its parameters; loc is a parameter there
_PLACED: dict[str, tuple[str, Callable[..., dict[str, Any]]]] = {
    "norm": ("normal", lambda loc, scale: {"loc": loc, "scale": scale}),
    "laplace": ("laplace", lambda loc, scale: {"loc": loc, "scale": scale}),
    "cauchy": ("cauchy", lambda loc, scale: {"loc": loc, "scale": scale}),
    "logistic": ("logistic", lambda loc, scale: {"loc": loc, "scale": scale}),
    "gumbel_r": ("gumbel", lambda loc, scale: {"loc": loc, "scale": scale}),
    "t": ("student_t", lambda loc, scale, df: {"df": df, "loc": loc, "scale": scale}),
    "uniform": ("uniform", lambda loc, scale: {"low": loc, "high": loc + scale}),
}
# the scale is a parameter, loc a shift
_SCALED: dict[str, tuple[str, Callable[..., dict[str, Any]]]] = {
    "halfnorm": ("half_normal", lambda scale: {"scale": scale}),
    "halfcauchy": ("half_cauchy", lambda scale: {"scale": scale}),
    "expon": ("exponential", lambda scale: {"rate": 1.0 / scale}),
    "gamma": ("gamma", lambda scale, a: {"concentration": a, "rate": 1.0 / scale}),
    "erlang": ("gamma", lambda scale, a: {"concentration": a, "rate": 1.0 / scale}),
    "chi2": ("gamma", lambda scale, df: {"concentration": 0.5 * df, "rate": 0.5 / scale}),
    "weibull_min": ("weibull", lambda scale, c: {"concentration": c, "scale": scale}),
    "pareto": ("pareto", lambda scale, b: {"scale": scale, "alpha": b}),
    "invgauss": ("inverse_gaussian", lambda scale, mu: {"mean": mu * scale, "shape": scale}),
}
# neither is: both are an affine map
_SHAPED: dict[str, tuple[str, Callable[..., dict[str, Any]]]] = {
    "beta": ("beta", lambda a, b: {"concentration1": a, "concentration0": b}),
}
# discrete laws have a shift only
_DISCRETE: dict[str, tuple[str, float, Callable[..., dict[str, Any]]]] = {
    "bernoulli": ("bernoulli", 0, lambda p: {"probs": p}),
    "binom": ("binomial", 0, lambda n, p: {"total_count": n, "probs": p}),
    "geom": ("geometric", 1, lambda p: {"probs": p}),
    "nbinom": ("negative_binomial", 0, lambda n, p: {"total_count": n, "probs": p}),
    "poisson": ("poisson", 0, lambda mu: {"rate": mu}),
}


def read(thing: Any) -> Law | None:
    """The law of a frozen SciPy distribution, `None` where there is no density to work with."""
    kind = type(thing).__name__
    if kind == "multivariate_normal_frozen":
        return _multivariate_normal(thing)
    if kind == "dirichlet_frozen":
        return law(families()["dirichlet"], {"concentration": _number(thing.alpha)}, label="dirichlet")
    if kind == "multinomial_frozen":
        parameters = {"total_count": _number(thing.n), "probs": _number(thing.p)}
        return law(families()["multinomial"], parameters, label="multinomial")
    if not hasattr(thing, "dist"):
        return scipy_matrices.read(thing)
    shapes, loc, scale = thing.dist._parse_args(*thing.args, **thing.kwds)
    shapes, loc, scale = [_number(x) for x in shapes], _number(loc), _number(scale)
    _positive_scale(thing.dist.name, scale)
    return _univariate(thing, shapes, loc, scale)


def _univariate(thing: Any, shapes: list[Any], loc: Any, scale: Any) -> Law:
    name, known = thing.dist.name, families()
    if name in _PLACED:
        family, arguments = _PLACED[name]
        return law(known[family], arguments(loc, scale, *shapes), label=name)
    if name in _DISCRETE:
        family, start, arguments = _DISCRETE[name]
        shift = _shift(loc + start, 1.0)
        return law(known[family], arguments(*shapes), transforms=shift, label=name)
    if name == "lognorm":
        parameters = {"loc": np.log(scale), "scale": shapes[0]}
        return law(known["normal"], parameters, transforms=(Transform("exp"), *_shift(loc, 1.0)), label=name)
    if name == "invgamma":
        parameters = {"concentration": shapes[0], "rate": scale}
        transforms = (Transform("reciprocal"), *_shift(loc, 1.0))
        return law(known["gamma"], parameters, transforms=transforms, label=name)
    if name in ("vonmises", "vonmises_line"):
        return _von_mises(name, shapes[0], loc, scale)
    if name in _SCALED:
        family, arguments = _SCALED[name]
        return law(known[family], arguments(scale, *shapes), transforms=_shift(loc, 1.0), label=name)
    if name in _SHAPED:
        family, arguments = _SHAPED[name]
        return law(known[family], arguments(*shapes), transforms=_shift(loc, scale), label=name)
    return _unknown(thing)


def _von_mises(name: str, concentration: Any, loc: Any, scale: Any) -> Law:
    # on the circle loc turns the law; on the line it moves it, cut included
    turned = name == "vonmises"
    mode, shift = (loc / scale, 0.0 * loc) if turned else (0.0 * loc, loc)
    parameters = {"loc": mode, "concentration": concentration}
    return law(families()["von_mises"], parameters, transforms=_shift(shift, scale), label=name)


def _number(x: Any) -> Any:
    return np.asarray(x, dtype=float)


def _positive_scale(name: str, scale: np.ndarray) -> None:
    bad = ~((scale > 0) & np.isfinite(scale))
    if bad.any():
        place = np.argwhere(bad)[0]
        where = f" at index {tuple(int(i) for i in place)}" if len(place) else ""
        raise InvalidInputError(
            f"{name}'s scale is {float(scale[tuple(place)]):g}{where}; expected a positive finite number"
        )


def _shift(loc: Any, scale: Any) -> tuple[Transform, ...]:
    if not np.any(loc) and np.all(np.asarray(scale) == 1):
        return ()
    return (Transform("affine", loc, scale),)


def _multivariate_normal(thing: Any) -> Law:
    return normal_law(_number(thing.mean), np.asarray(thing.cov_object.covariance, dtype=float))


def _base_class() -> type:
    from scipy import stats

    return stats.rv_continuous


def _unknown(thing: Any) -> Law:
    """Any other law on the line, by its own density and quantiles."""
    if np.ndim(thing.support()[0]):
        raise UnsupportedPairError(
            f"{thing.dist.name} in a batch has no closed form here; pass one law at a time"
        )
    low, high = (float(x) for x in thing.support())
    support = Support(low, high, discrete=hasattr(thing, "pmf"))
    # SciPy's own fallback is the logarithm of the density
    derived = getattr(type(thing.dist), "_logpdf", None) is _base_class()._logpdf
    family = Family(thing.dist.name, {}, lambda _: support, lambda _: thing, underflows=derived)
    return Law(family, {}, label=thing.dist.name)
