"""Wake and sleep: a guide drawn towards the posterior by the cross-entropy of draws that it does not differentiate."""

from __future__ import annotations

import torch
from torch import Tensor

from kullback.errors import InvalidInputError
from kullback.losses.variational import programs
from kullback.losses.variational.estimators import Enumeration
from kullback.losses.variational.programs import Guide, Values
from kullback.losses.variational.surrogates import LogJoint, of_model, shaped


def wake(guide: Guide, log_joint: LogJoint, *, samples: int, batch: tuple[int, ...] = ()) -> Tensor:
    r"""The cross-entropy of posterior and guide from self-normalised draws of the guide, to be brought down.

    $$-\sum_k \bar w_k \log q(z_k), \qquad \bar w_k = \frac{w_k}{\sum_j w_j},$$

    KL(posterior‖guide) up to the posterior's entropy as K → ∞, biased by 1/K: the wake step of reweighted
    wake–sleep. Draws and weights are held constant, so that no estimator is asked. Shapes as in `bound`; enumerated
    sites are refused. Source: [bornschein2015].

    >>> import torch
    >>> from kullback.losses.variational import ScoreFunction
    >>> guide = lambda site: site("z", torch.distributions.Bernoulli(0.5), ScoreFunction())
    >>> round(float(wake(guide, lambda z: -z["z"], samples=4)), 6)  # log 2 whatever the draws
    0.693147
    """
    with torch.no_grad():
        trace = programs.run(guide, shaped(samples, batch), {})
        log_weights = of_model(log_joint, trace) - trace.log_density
    if trace.has(Enumeration):
        raise InvalidInputError("wake weighs draws, and an enumerated site has none; give it ScoreFunction()")
    return -(torch.softmax(log_weights, 0) * programs.again(guide, trace).log_density).sum(0)


def sleep(guide: Guide, values: Values, *, samples: int, batch: tuple[int, ...] = ()) -> Tensor:
    r"""Minus the mean log-density of a guide at latent variables that the model drew along with the data.

    $$-\frac1K \sum_k \log q(z_k | x_k), \qquad (z_k, x_k) \sim p$$

    KL(posterior‖guide) averaged over the model's own data, up to a constant. `values` has every site by name, each of
    shape (K, *batch, …). Raises `InvalidInputError` where one is missing. Source: [hinton1995].

    >>> import torch
    >>> from kullback.losses.variational import ScoreFunction
    >>> guide = lambda site: site("z", torch.distributions.Bernoulli(0.5), ScoreFunction())
    >>> round(float(sleep(guide, {"z": torch.ones(2)}, samples=2)), 6)
    0.693147
    """
    trace = programs.run(guide, shaped(samples, batch), values)
    missing = sorted(trace.sites.keys() - values.keys())
    if missing:
        raise InvalidInputError(
            f"`values` lacks the sites {missing}; expected every latent variable of the guide"
        )
    return -trace.log_density.mean(0)
