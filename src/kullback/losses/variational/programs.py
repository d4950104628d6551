"""Guides as programs: a function that names its latent sites, each with a law and the estimator of its gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.variational.estimators import Enumeration, Estimator, StickingTheLanding, support

Values = Mapping[str, Tensor]


@dataclass(frozen=True)
class Site:
    """A latent variable of one run: its law, how its gradient goes, its value and the logarithm of its density."""

    law: Distribution
    estimator: Estimator
    value: Tensor
    log_prob: Tensor


class Trace:
    """One run of a guide, and what its argument is: called with a name, a law and an estimator, it gives the value.

    Values in `given` are taken as they are, the others are drawn. Laws are widened to (K, *batch).
    """

    def __init__(self, shape: tuple[int, ...], given: Values) -> None:
        self.shape = shape
        self.given = given
        self.sites: dict[str, Site] = {}

    def __call__(self, name: str, law: Distribution, estimator: Estimator) -> Tensor:
        """The value of a site, given or drawn."""
        if name in self.sites:
            raise InvalidInputError(f"the guide names two sites {name!r}; every site needs a name of its own")
        law = self._widened(name, law)
        value = self.given[name] if name in self.given else estimator.draw(name, law)
        self.sites[name] = Site(law, estimator, value, law.log_prob(value))
        return value

    def _widened(self, name: str, law: Distribution) -> Distribution:
        try:
            return law.expand(torch.Size(self.shape))
        except RuntimeError:
            raise ShapeError(
                f"site {name!r} has a law of batch shape {tuple(law.batch_shape)}, which does not widen to (K, *batch) "
                f"= {self.shape}; say `batch=`, or make an axis part of the event by torch's Independent"
            ) from None

    @property
    def values(self) -> dict[str, Tensor]:
        """Name → value."""
        return {name: site.value for name, site in self.sites.items()}

    @property
    def log_density(self) -> Tensor:
        """The logarithm of the guide's joint density, (K, *batch)."""
        return self.sum_of(lambda site: site.log_prob)

    def sum_of(self, part: Callable[[Site], Tensor], kind: type[Estimator] = Estimator) -> Tensor:
        """The sum of a part over the sites of a kind of estimator, of which there is one at least."""
        return torch.stack([part(s) for s in self.sites.values() if isinstance(s.estimator, kind)]).sum(0)

    def has(self, kind: type[Estimator]) -> bool:
        """Whether a site has such an estimator."""
        return any(isinstance(site.estimator, kind) for site in self.sites.values())

    def before(self, name: str) -> dict[str, Tensor]:
        """The values of the sites that were named before this one."""
        names = list(self.sites)
        return {earlier: self.sites[earlier].value for earlier in names[: names.index(name)]}


Guide = Callable[[Trace], object]


def run(guide: Guide, shape: tuple[int, ...], given: Values) -> Trace:
    """A run of the guide, with some values given."""
    trace = Trace(shape, given)
    guide(trace)
    if not trace.sites:
        raise InvalidInputError(
            "the guide named no site; it is called with `site` and calls site(name, law, estimator)"
        )
    return trace


def branches(guide: Guide, shape: tuple[int, ...], given: Values) -> Iterator[Trace]:
    """Runs of the guide, one for every combination of values of its enumerated sites.

    What came before a branching is shared; what follows is drawn anew.
    """
    trace = run(guide, shape, given)
    yield trace
    for name, site in trace.sites.items():
        if isinstance(site.estimator, Enumeration) and name not in given:
            for value in support(name, site.law, site.estimator)[1:]:
                yield from branches(guide, shape, {**trace.before(name), name: value})


def again(guide: Guide, trace: Trace) -> Trace:
    """The same values, held constant, once more through the guide: what is left of the gradient is its score."""
    return run(guide, trace.shape, {name: value.detach() for name, value in trace.values.items()})


def log_guide(guide: Guide, trace: Trace) -> Tensor:
    """The log density with the gradient that the estimators ask for: no score where a site sticks the landing."""
    total = trace.log_density
    if not trace.has(StickingTheLanding):
        return total
    score = again(guide, trace).sum_of(lambda site: site.log_prob, StickingTheLanding)
    return total - (score - score.detach())
