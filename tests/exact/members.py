"""Members of every registered family, near and far from each other, and how to move one a little."""

from __future__ import annotations

import numpy as np

from kullback.exact.law import Law, law
from kullback.exact.registry import families

MEMBERS: dict[str, list[dict[str, object]]] = {
    "normal": [{"loc": 0.3, "scale": 1.2}, {"loc": -1.0, "scale": 0.7}, {"loc": 0.5, "scale": 1.9}],
    "half_normal": [{"scale": 1.2}, {"scale": 0.7}, {"scale": 1.5}],
    "multivariate_normal": [
        {"loc": [0.1, 0.2], "scale_tril": [[1.0, 0.0], [0.4, 1.5]]},
        {"loc": [-0.3, 0.5], "scale_tril": [[1.3, 0.0], [-0.2, 1.1]]},
        {"loc": [0.5, 0.0], "scale_tril": [[1.2, 0.0], [0.1, 1.4]]},
    ],
    "gamma": [
        {"concentration": 2.5, "rate": 1.5},
        {"concentration": 0.8, "rate": 1.0},
        {"concentration": 13.0, "rate": 4.0},
    ],
    "exponential": [{"rate": 1.5}, {"rate": 2.5}, {"rate": 0.9}],
    "beta": [
        {"concentration1": 2.5, "concentration0": 1.5},
        {"concentration1": 0.9, "concentration0": 1.2},
        {"concentration1": 14.0, "concentration0": 11.0},
    ],
    "dirichlet": [
        {"concentration": [2.5, 1.5, 0.7]},
        {"concentration": [0.8, 1.2, 1.0]},
        {"concentration": [9, 7, 12]},
    ],
    "weibull": [
        {"concentration": 1.5, "scale": 1.2},
        {"concentration": 0.9, "scale": 0.8},
        {"concentration": 2.2, "scale": 1.4},
    ],
    "gumbel": [{"loc": 0.3, "scale": 1.2}, {"loc": -0.4, "scale": 0.9}, {"loc": 0.1, "scale": 2.0}],
    "pareto": [{"scale": 1.5, "alpha": 2.5}, {"scale": 1.2, "alpha": 1.5}, {"scale": 1.5, "alpha": 3.5}],
    "inverse_gaussian": [{"mean": 1.2, "shape": 2.0}, {"mean": 0.8, "shape": 1.5}, {"mean": 1.0, "shape": 3.0}],
    "laplace": [{"loc": 0.3, "scale": 1.2}, {"loc": -1.0, "scale": 0.7}, {"loc": 0.5, "scale": 1.9}],
    "cauchy": [{"loc": 0.3, "scale": 1.2}, {"loc": -1.0, "scale": 0.7}, {"loc": 0.5, "scale": 1.9}],
    "half_cauchy": [{"scale": 1.2}, {"scale": 0.7}, {"scale": 1.5}],
    "logistic": [{"loc": 0.3, "scale": 1.2}, {"loc": -1.0, "scale": 0.7}],
    "student_t": [{"df": 3.0, "loc": 0.3, "scale": 1.2}, {"df": 5.0, "loc": -1.0, "scale": 0.7}],
    "uniform": [{"low": 0.2, "high": 1.5}, {"low": -1.0, "high": 1.7}, {"low": 0.5, "high": 2.5}],
    "bernoulli": [{"probs": 0.3}, {"probs": 0.85}, {"probs": 0.1}],
    "categorical": [{"probs": [0.5, 0.3, 0.2]}, {"probs": [0.1, 0.3, 0.6]}, {"probs": [0.25, 0.25, 0.5]}],
    "continuous_bernoulli": [{"logits": 0.4}, {"logits": -9.0}, {"probs": 0.3}, {"probs": 0.85}],
    "one_hot_categorical": [
        {"probs": [0.5, 0.3, 0.2]},
        {"probs": [0.1, 0.3, 0.6]},
        {"probs": [0.25, 0.25, 0.5]},
    ],
    "binomial": [{"total_count": 7, "probs": 0.3}, {"total_count": 7, "probs": 0.45}],
    "multinomial": [
        {"total_count": 4, "probs": [0.5, 0.3, 0.2]},
        {"total_count": 4, "probs": [0.1, 0.3, 0.6]},
    ],
    "geometric": [{"probs": 0.3}, {"probs": 0.45}, {"probs": 0.2}],
    "negative_binomial": [{"total_count": 2.5, "probs": 0.3}, {"total_count": 2.5, "probs": 0.45}],
    "poisson": [{"rate": 2.5}, {"rate": 4.0}, {"rate": 1.5}],
    "von_mises": [
        {"loc": 0.3, "concentration": 2.0},
        {"loc": 2.9, "concentration": 0.4},
        {"loc": -1.0, "concentration": 12.0},
    ],
    "von_mises_fisher": [
        {"direction": [0.6, 0.0, 0.8], "concentration": 2.0},
        {"direction": [0.0, -0.6, 0.8], "concentration": 0.4},
        {"direction": [0.8, 0.0, 0.6], "concentration": 7.0},
    ],
    "kumaraswamy": [
        {"concentration1": 2.5, "concentration0": 1.5},
        {"concentration1": 0.9, "concentration0": 1.2},
        {"concentration1": 2.5, "concentration0": 4.0},
    ],
    "wishart": [
        {"df": 5.0, "scale_tril": [[1.0, 0.0], [0.4, 1.5]]},
        {"df": 7.5, "scale_tril": [[1.3, 0.0], [-0.2, 1.1]]},
        {"df": 6.0, "scale_tril": [[1.2, 0.0], [0.1, 1.4]]},
    ],
    "inverse_wishart": [
        {"df": 5.0, "scale_tril": [[1.0, 0.0], [0.4, 1.5]]},
        {"df": 7.5, "scale_tril": [[1.3, 0.0], [-0.2, 1.1]]},
        {"df": 6.0, "scale_tril": [[1.2, 0.0], [0.1, 1.4]]},
    ],
    "normal_inverse_wishart": [
        {"loc": [0.1, 0.2], "precision_scale": 2.0, "df": 5.0, "scale_tril": [[1.0, 0.0], [0.4, 1.5]]},
        {"loc": [-0.3, 0.5], "precision_scale": 1.2, "df": 7.5, "scale_tril": [[1.3, 0.0], [-0.2, 1.1]]},
        {"loc": [0.5, 0.0], "precision_scale": 3.0, "df": 6.0, "scale_tril": [[1.2, 0.0], [0.1, 1.4]]},
    ],
    "dirichlet_multinomial": [
        {"total_count": 5, "concentration": [2.5, 1.5, 0.7]},
        {"total_count": 5, "concentration": [0.8, 1.2, 1.0]},
    ],
    "low_rank_normal": [
        {"loc": [0.1, 0.2, 0.0], "cov_factor": [[1.0], [0.4], [-0.5]], "cov_diag": [1.0, 0.6, 1.4]},
        {"loc": [-0.3, 0.5, 0.1], "cov_factor": [[0.6], [-0.3], [0.5]], "cov_diag": [1.2, 0.9, 1.1]},
    ],
    "matrix_normal": [
        {
            "loc": [[0.1, 0.2, 0.0], [0.3, -0.1, 0.4]],
            "scale_tril_row": [[1.0, 0.0], [0.4, 1.5]],
            "scale_tril_column": [[1.0, 0.0, 0.0], [0.3, 0.8, 0.0], [-0.2, 0.1, 1.2]],
        },
        {
            "loc": [[0.3, 0.1, 0.2], [0.0, 0.2, 0.1]],
            "scale_tril_row": [[1.2, 0.0], [0.1, 1.3]],
            "scale_tril_column": [[1.1, 0.0, 0.0], [0.1, 0.9, 0.0], [0.1, -0.1, 1.0]],
        },
    ],
}  # fmt: skip

# pairs whose first law lies inside the support of the second, where the KL divergence is finite
WITHIN = {"pareto": (0, 1), "uniform": (0, 1)}


def member(family: str, parameters: dict[str, object]) -> Law:
    return law(
        families()[family], {name: np.asarray(value, dtype=float) for name, value in parameters.items()}
    )


def moved(parameters: dict[str, object], delta: float) -> dict[str, object]:
    """A neighbour: every parameter changed by about delta, each in a direction of its own."""
    found: dict[str, object] = {}
    for i, (name, value) in enumerate(parameters.items()):
        if name == "total_count":
            found[name] = value
            continue
        array = np.asarray(value, dtype=float)
        steps = np.resize([1.0, -0.6, 0.35, 0.8], array.size + i)[i:].reshape(array.shape)
        shifted = array * (1.0 + delta * steps)
        if name == "direction":
            shifted /= np.linalg.norm(shifted)
        if name == "low":
            shifted = array - delta
        if name == "probs" and array.ndim:
            shifted[-1] = 1.0 - shifted[:-1].sum()
        found[name] = shifted.tolist()
    return found
