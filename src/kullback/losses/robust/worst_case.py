"""The expected loss under the least favourable law near the data, as a loss to train on."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from kullback.bounds import upper_expectation
from kullback.divergences import FDivergence
from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged


def worst_case(
    d: FDivergence,
    losses: Tensor,
    *,
    radius: float | None = None,
    penalty: float | None = None,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The largest mean loss over reweightings p of the examples within `radius`, or at a `penalty` λ on leaving them.

    $$\sup_{D_f(p \| q) \le \rho} \sum_i p_i \ell_i, \qquad \sup_p \sum_i p_i \ell_i - \lambda D_f(p \| q)$$

    D_f(worst case‖data), q uniform or proportional to `weight`, for any f-divergence: `kb.kl` at a penalty is
    $\lambda \log \frac1n \sum e^{\ell_i/\lambda}$, and the KL(P‖Q) of texts that write the data first is
    `kb.reverse_kl`. Losses (n,), one an example; give one of `radius` (in units of D) and `penalty` (loss per unit of
    D: towards infinity the mean, towards 0 the maximum). The gradient is the sum of those of the examples, each times
    its worst-case weight p_i. The weights are solved for in float64 on the host; first derivatives only.

    It is the worst case of the examples that are passed: over minibatches its mean is less than that over all data,
    which `DualVariables` bound from above. `mask` and `nonfinite` as in `kullback.losses.batches.averaged`; one
    non-finite loss that is not skipped makes the result non-finite. Raises `ShapeError`, `InvalidInputError`, and
    `ConvergenceError` where the duality gap stays open. Source: [bental2013], [duchi2021].

    >>> import torch, kullback as kb
    >>> losses = torch.tensor([0.0, 1.0, 2.0, 5.0], requires_grad=True)
    >>> worst_case(kb.total_variation, losses, radius=0.25).backward()
    >>> losses.grad.tolist()  # a quarter of the mass goes from the least loss to the largest
    [0.0, 0.25, 0.25, 0.5]
    """
    if losses.ndim != 1:
        raise ShapeError(f"`losses` has shape {tuple(losses.shape)}; expected (n,), one loss an example")
    if weight is not None and weight.shape != losses.shape:
        raise ShapeError(
            f"`weight` has shape {tuple(weight.shape)} and `losses` {tuple(losses.shape)}; expected the same"
        )
    if weight is not None and bool((weight if mask is None else weight[mask]).lt(0).any()):
        raise InvalidInputError("`weight` is negative in places; expected the masses of the examples")
    parts = (losses,) if weight is None else (losses, weight)
    terms = partial(_shared_value, d, radius, penalty)
    return averaged(terms, *parts, mask=mask, nonfinite=nonfinite)


def _shared_value(
    d: FDivergence, radius: float | None, penalty: float | None, losses: Tensor, weight: Tensor | None = None
) -> Tensor:
    """The worst case, the same number for every example; the losses themselves where some are not finite."""
    losses = at_least_single(losses)
    if not bool(torch.isfinite(losses).all()):
        return losses
    reference = None if weight is None else weight.double() / weight.double().sum()
    worst = upper_expectation(d, losses, reference=reference, radius=radius, penalty=penalty)
    return worst.surrogate(losses).to(losses.dtype).expand(len(losses))


def at_least_single(x: Tensor) -> Tensor:
    """Half precision as float32."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


class DualVariables(torch.nn.Module):
    r"""The threshold η and the multiplier λ of a worst case, trained beside the model on minibatches.

    $$\lambda \rho + \eta + \lambda\, \frac1n \sum_i f^*\!\left(\frac{\ell_i - \eta}{\lambda}\right)
    \;\ge\; \sup_{D_f(p \| q) \le \rho} E_p\, \ell \quad \text{in expectation, for every } \eta, \lambda > 0,$$

    equal at the best η and λ. Calling it with the losses (n,) of a minibatch gives the left side, whose gradients
    towards model, η and log λ are unbiased for those over all data: minimise over the three together. With `penalty`
    instead of `radius`, λ is that number and λρ is left out. `threshold` and `multiplier` are where η and λ start;
    the largest loss to be expected is a safe threshold (`highest` where given, else 0), because f* may overflow
    where a loss is far above it.

    Where lim f(t)/t is finite (`js`, `total_variation`, ...) p may leave the data for the worst loss of all and f* is
    infinite beyond that limit: then `highest`, a number that no loss exceeds, must be given, and the threshold is kept
    where every such loss has a finite price. Raises `InvalidInputError` where it is missing or exceeded.

    Source: [bental2013], [duchi2021].

    >>> import torch, kullback as kb
    >>> dual = DualVariables(kb.kl, penalty=1.0, threshold=0.0)
    >>> round(dual(torch.tensor([0.0, 1.0])).item(), 6)  # (e − 1)/2, above log of (1 + e)/2
    0.859141
    """

    def __init__(
        self,
        d: FDivergence,
        *,
        radius: float | None = None,
        penalty: float | None = None,
        threshold: float | None = None,
        multiplier: float = 1.0,
        highest: float | None = None,
    ) -> None:
        super().__init__()
        if (radius is None) == (penalty is None):
            raise InvalidInputError("give exactly one of `radius` and `penalty`")
        scale = multiplier if penalty is None else penalty
        if not 0 < scale < float("inf"):
            raise InvalidInputError(
                f"the price on the divergence is {scale!r}; expected a finite positive number"
            )
        if radius is not None and not 0 < radius < float("inf"):
            raise InvalidInputError(f"`radius` is {radius!r}; expected a finite positive number")
        self.d, self.radius, self.highest = d, radius, highest
        log_scale = torch.tensor(scale, dtype=torch.float64).log().to(torch.get_default_dtype())
        self.log_multiplier = torch.nn.Parameter(log_scale, requires_grad=penalty is None)
        start = (highest or 0.0) if threshold is None else threshold
        self.place = torch.nn.Parameter(torch.tensor(float(self._place(start, scale))))

    def _place(self, threshold: float, scale: float) -> float:
        """η itself, or where f* ends the logarithm of how far η is above the least that it may be."""
        if self.d.at_infinity == float("inf"):
            return threshold
        if self.highest is None:
            raise InvalidInputError(
                f"f* of {self.d.name} is infinite above {self.d.at_infinity:g}, and a minibatch does not know the "
                "largest loss; give `highest`, use a divergence with lim f(t)/t infinite (kl, pearson_chi2), or "
                "`worst_case`"
            )
        above = threshold - self.highest + scale * self.d.at_infinity
        if above <= 0:
            raise InvalidInputError(
                f"`threshold` is {threshold:g}; losses up to {self.highest:g} need one above "
                f"{self.highest - scale * self.d.at_infinity:g} at the multiplier {scale:g}"
            )
        return torch.tensor(above, dtype=torch.float64).log().item()

    @property
    def multiplier(self) -> Tensor:
        """λ, positive."""
        return self.log_multiplier.exp()

    @property
    def threshold(self) -> Tensor:
        """η, where a loss leaves its weight alone."""
        if self.highest is None or self.d.at_infinity == float("inf"):
            return self.place
        return self.highest - self.multiplier * self.d.at_infinity + self.place.exp()

    def forward(
        self,
        losses: Tensor,
        *,
        mask: Tensor | None = None,
        weight: Tensor | None = None,
        nonfinite: NonFinite = "propagate",
    ) -> Tensor:
        """The dual on a minibatch of losses (n,), an upper bound in expectation."""
        if losses.ndim != 1:
            raise ShapeError(f"`losses` has shape {tuple(losses.shape)}; expected (n,), one loss an example")
        counted = losses.detach() if mask is None else losses.detach()[mask]
        if self.highest is not None and bool((counted > self.highest).any()):
            raise InvalidInputError(
                f"a loss is {float(counted.max()):g}, above `highest`, {self.highest:g}; give a number that no loss "
                "exceeds"
            )
        return averaged(self._terms, losses, mask=mask, weight=weight, nonfinite=nonfinite)

    def _terms(self, losses: Tensor) -> Tensor:
        threshold, scale = self.threshold, self.multiplier
        centred = (at_least_single(losses) - threshold) / scale
        cost = threshold + scale * self.d.conjugate(centred)
        return cost if self.radius is None else cost + scale * self.radius
