"""What a method of estimation is: a frozen object that says what it serves and turns a problem into an estimate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from kullback.estimators.problem import JointSample, OneSample, TwoSamples

Interval = Callable[[float], tuple[float, float]]


@dataclass(frozen=True)
class Estimate:
    """What a method found: a number, its standard error, and what it cannot rule out beside chance.

    `bias_error` is the standard deviation of the bias that the method may have left, and widens the interval.
    `interval` maps a level to the two ends where they are not value ± z·error (a posterior's quantiles, a bound's open
    end). `distrust` is the reason why no interval can be vouched for: it is then −inf to inf, and the reason is told.
    """

    value: float
    standard_error: float
    bias_error: float = 0.0
    interval: Interval | None = None
    distrust: str = ""
    notes: tuple[str, ...] = ()
    kind: str = "estimate"  # or "bounds", where the number is a bound's


class Method(ABC):
    """The common part of the three kinds of method; subclasses are frozen dataclasses of their parameters."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name in an answer, with the parameters that matter."""


class EntropyMethod(Method):
    """Turns one sample into the entropy of its law, in nats."""

    @abstractmethod
    def refusal(self, problem: OneSample) -> str:
        """Why this method does not serve the problem, with what does; empty where it serves."""

    @abstractmethod
    def estimate(self, problem: OneSample) -> Estimate:
        """The entropy in the caller's units: `problem.x.exponent` is accounted for."""


class InformationMethod(Method):
    """Turns one joint sample into the information of x about y, in nats."""

    @abstractmethod
    def refusal(self, problem: JointSample) -> str:
        """Why this method does not serve the problem, with what does; empty where it serves."""

    @abstractmethod
    def estimate(self, problem: JointSample) -> Estimate:
        """The information, and how sure."""

    def statistic(self, problem: JointSample) -> float:
        """What a permutation test compares: the value alone, where that is cheaper than the whole estimate."""
        return self.estimate(problem).value


class DivergenceMethod(Method):
    """Turns two samples into the divergence of their laws, in the divergence's unit."""

    @abstractmethod
    def refusal(self, problem: TwoSamples) -> str:
        """Why this method does not serve the problem, with what does; empty where it serves."""

    @abstractmethod
    def estimate(self, problem: TwoSamples) -> Estimate:
        """The divergence, and how sure."""

    def statistic(self, problem: TwoSamples) -> float:
        """What a permutation test compares: the value alone, where that is cheaper than the whole estimate."""
        return self.estimate(problem).value
