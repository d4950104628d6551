"""The table that PyTorch and NumPyro share: class names, families, and the attributes that hold the parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kullback._ops import ops
from kullback.exact.law import Law, law, to_numpy
from kullback.exact.registry import families
from kullback.exact.transform import Transform

_SAME = {
    "Normal": ("normal", ("loc", "scale")),
    "HalfNormal": ("half_normal", ("scale",)),
    "MultivariateNormal": ("multivariate_normal", ("loc", "scale_tril")),
    "LowRankMultivariateNormal": ("low_rank_normal", ("loc", "cov_factor", "cov_diag")),
    "Exponential": ("exponential", ("rate",)),
    "Gamma": ("gamma", ("concentration", "rate")),
    "Beta": ("beta", ("concentration1", "concentration0")),
    "Dirichlet": ("dirichlet", ("concentration",)),
    "Laplace": ("laplace", ("loc", "scale")),
    "HalfCauchy": ("half_cauchy", ("scale",)),
    "Cauchy": ("cauchy", ("loc", "scale")),
    "Logistic": ("logistic", ("loc", "scale")),
    "StudentT": ("student_t", ("df", "loc", "scale")),
    "Uniform": ("uniform", ("low", "high")),
    "Pareto": ("pareto", ("scale", "alpha")),
    "Gumbel": ("gumbel", ("loc", "scale")),
    "Weibull": ("weibull", ("concentration", "scale")),
    "Kumaraswamy": ("kumaraswamy", ("concentration1", "concentration0")),
    "VonMises": ("von_mises", ("loc", "concentration")),
    "MatrixNormal": ("matrix_normal", ("loc", "scale_tril_row", "scale_tril_column")),
    "Poisson": ("poisson", ("rate",)),
    "Geometric": ("geometric", ("probs",)),
}
_CHANCES = {
    "Bernoulli": ("bernoulli", ()),
    "Categorical": ("categorical", ()),
    "ContinuousBernoulli": ("continuous_bernoulli", ()),
    "OneHotCategorical": ("one_hot_categorical", ()),
    "OneHotCategoricalStraightThrough": ("one_hot_categorical", ()),
    "Binomial": ("binomial", ("total_count",)),
    "Multinomial": ("multinomial", ("total_count",)),
}


def read(thing: Any) -> Law | None:
    """The law of a distribution object by its class name; `None` where the name is not in the table."""
    name = type(thing).__name__
    known = families()
    if name in _SAME:
        family, attributes = _SAME[name]
        return law(known[family], {a: getattr(thing, a) for a in attributes}, label=name)
    if name in _SPECIAL:
        return _SPECIAL[name](thing, name)
    for base, (family, attributes) in _CHANCES.items():
        if name in (base, f"{base}Probs", f"{base}Logits"):
            which = "logits" if name.endswith("Logits") or _has_logits(thing) else "probs"
            parameters = {a: getattr(thing, a) for a in attributes}
            parameters[which] = getattr(thing, which)
            if attributes:
                xp = ops(parameters[which])
                parameters["total_count"] = xp.asarray(parameters["total_count"], like=parameters[which])
            return law(known[family], parameters, label=name)
    return None


def _has_logits(thing: Any) -> bool:
    # what the caller gave is kept first and under its own name; the other is filled in when asked for
    held = list(vars(thing.__dict__.get("_categorical", thing)))
    order = [name for name in held if name in ("probs", "logits")]
    return bool(order) and order[0] == "logits"


def _chi_squared(thing: Any, label: str) -> Law:
    df = thing.df
    return law(families()["gamma"], {"concentration": 0.5 * df, "rate": 0.0 * df + 0.5}, label=label)


def _log_normal(thing: Any, label: str) -> Law:
    parameters = {"loc": thing.loc, "scale": thing.scale}
    return law(families()["normal"], parameters, transforms=(Transform("exp"),), label=label)


def _inverse_gamma(thing: Any, label: str) -> Law:
    parameters = {"concentration": thing.concentration, "rate": thing.rate}
    return law(families()["gamma"], parameters, transforms=(Transform("reciprocal"),), label=label)


def _negative_binomial(thing: Any, label: str) -> Law:
    # the number of successes, each of chance `probs`, before `total_count` failures: the other chance is the family's
    chance = thing.probs
    parameters = {"total_count": ops(chance).asarray(thing.total_count, like=chance), "probs": 1.0 - chance}
    return law(families()["negative_binomial"], parameters, label=label)


def _dirichlet_multinomial(thing: Any, label: str) -> Law:
    xp = ops(thing.concentration)
    parameters = {"total_count": xp.asarray(thing.total_count, like=thing.concentration)}
    parameters["concentration"] = thing.concentration
    return law(families()["dirichlet_multinomial"], parameters, label=label)


def _wishart(thing: Any, label: str) -> Law:
    # torch and NumPyro call the degrees of freedom differently
    df = thing.df if hasattr(thing, "df") else thing.concentration
    return law(families()["wishart"], {"df": df, "scale_tril": thing.scale_tril}, label=label)


_SPECIAL: dict[str, Callable[[Any, str], Law]] = {
    "Chi2": _chi_squared,
    "LogNormal": _log_normal,
    "InverseGamma": _inverse_gamma,
    "NegativeBinomial": _negative_binomial,
    "DirichletMultinomial": _dirichlet_multinomial,
    "NegativeBinomialProbs": _negative_binomial,
    "Wishart": _wishart,
}


def affine(loc: Any, scale: Any) -> Transform:
    """x ↦ loc + scale·x, with numbers of NumPy."""
    return Transform("affine", to_numpy(loc), to_numpy(scale))
