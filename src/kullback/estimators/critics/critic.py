"""What all critics share: split the rows, train, judge on rows not seen, average over the folds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from kullback.divergences import FDivergence, Noun, kl
from kullback.errors import MissingDependencyError
from kullback.estimators.critics import inputs
from kullback.estimators.critics.held_out import HeldOut, Reading, combined, lower_bound
from kullback.estimators.critics.settings import Architecture, Joint, Lipschitz, Separable, Training
from kullback.estimators.method import DivergenceMethod, Estimate, InformationMethod
from kullback.estimators.problem import JointSample, TwoSamples
from kullback.estimators.samples import Sample
from kullback.progress import Reporter, part

_PAIRS = {Joint: 32, Lipschitz: 32, Separable: 256}  # partners of a held-out row: what one pair costs decides


@dataclass(frozen=True)
class Critic(InformationMethod):
    """A network T(x, y) that tells pairs from independent ones, and a reading of its scores."""

    architecture: Architecture = field(default_factory=Joint)
    training: Training = field(default_factory=Training)
    normal_scores: bool = False

    @abstractmethod
    def gain(self, at_p: Any, at_q: Any, log_mean: float) -> Any:
        """What training raises, from scores of one batch as torch tensors; `log_mean` is log E_q eᵀ so far."""

    @abstractmethod
    def reading(self, seen: HeldOut, d: FDivergence) -> Reading:
        """The number that scores of rows not seen stand for."""

    def bound(self, seen: HeldOut, d: FDivergence) -> Reading:
        """A lower bound by the same scores, for the lower end of the interval."""
        return self.reading(seen, d)

    def unserved(self, d: Noun) -> str:
        """Why this divergence is not served; empty where it is."""
        if d == kl:
            return ""
        return f"it reads kl, not {d.name}; JensenShannonCritic reads any f-divergence"

    kind = "bounds"

    def refusal(self, problem: JointSample) -> str:
        """Why this method does not serve the problem, with what does; empty where it serves."""
        if problem.given is not None:
            return "a difference of two bounds is no bound, so that `given` is not served; use a neighbour method"
        if problem.weights is not None:
            return "weights are not served; use a neighbour or ratio method"
        return self.unserved(problem.divergence or kl) or inputs.refusal(problem.x, problem.y)

    def estimate(self, problem: JointSample) -> Estimate:
        """The information, read off rows that the critic has not seen."""
        d = problem.divergence or kl
        if inputs.constant(problem.x) or inputs.constant(problem.y):
            return Estimate(0.0, 0.0, notes=("a variable that does not vary tells nothing: exactly 0",))
        seen = self._pairs(problem)
        notes = (*self.notes(seen), *copies_note(inputs.repeated(problem.x, problem.y), problem.n))
        return self._told(seen, d, notes)

    def fed(self, s: Sample, rows: inputs.Rows) -> inputs.Floats:
        """What the network sees of a variable, scaled by what `rows` of it show."""
        return inputs.features(s, rows, normal_scores=self.normal_scores)

    def notes(self, seen: list[HeldOut]) -> tuple[str, ...]:  # noqa: ARG002  (for critics whose scores say more)
        """What the reader should know of these scores."""
        return ()

    def _told(self, seen: list[HeldOut], d: FDivergence, notes: tuple[str, ...]) -> Estimate:
        found = combined([self.reading(s, d) for s in seen])
        bound = combined([self.bound(s, d) for s in seen])
        where = f"on held-out rows of {len(seen)} folds; the interval is open above: the truth may be larger"
        return lower_bound(found, bound, cap=d.upper_bound, kind=self.kind, notes=(where, *notes))

    def _pairs(self, problem: JointSample) -> list[HeldOut]:
        neural = _neural(self.name)
        rng, t = problem.rng, self.training
        order = inputs.sorted_rows(problem.x, problem.y)
        found = []
        for k, split in enumerate(inputs.splits(order, t.folds, t.watched, rng)):
            x, y = (self.fed(s, split.train) for s in (problem.x, problem.y))
            held = _PAIRS[type(self.architecture)]
            with Reporter() as reporter:
                told = part(reporter, f"{self.name}, fold {k + 1} of {t.folds}")
                found.append(
                    neural.pair_scores(x, y, split, self.architecture, t, self.gain, held, rng, told)
                )
        return found


@dataclass(frozen=True)
class TwoSampleCritic(Critic, DivergenceMethod):
    """A critic that also tells two samples apart: its network then takes a row, not a pair."""

    def refusal(self, problem: JointSample | TwoSamples) -> str:  # type: ignore[override]
        """Why this method does not serve the problem, with what does; empty where it serves."""
        if isinstance(problem, JointSample):
            return super().refusal(problem)
        if problem.weighted:
            return "weights are not served; use a ratio method"
        return self.unserved(problem.noun) or inputs.refusal(problem.x)

    def estimate(self, problem: JointSample | TwoSamples) -> Estimate:  # type: ignore[override]
        """The information or the divergence, read off rows that the critic has not seen."""
        if isinstance(problem, JointSample):
            return super().estimate(problem)
        assert isinstance(problem.noun, FDivergence)
        copies = inputs.repeated(problem.x) + inputs.repeated(problem.y)
        seen = sample_folds(
            self.name, problem, self.architecture, self.training, self.gain, self.normal_scores
        )
        return self._told(seen, problem.noun, (*self.notes(seen), *copies_note(copies, problem.n)))

    def statistic(self, problem: JointSample | TwoSamples) -> float:  # type: ignore[override]
        """What a permutation test compares; every draw trains anew, because the critic is part of the statistic."""
        return self.estimate(problem).value


def sample_folds(
    name: str,
    problem: TwoSamples,
    architecture: Architecture,
    training: Training,
    gain: Callable[..., Any],
    normal_scores: bool,
) -> list[HeldOut]:
    """Scores of two samples, a fold each."""
    neural, rng = _neural(name), problem.rng
    from kullback.estimators.neural import networks

    x, y = problem.x, problem.y
    folds = [inputs.splits(inputs.sorted_rows(s), training.folds, training.watched, rng) for s in (x, y)]
    found = []
    for k, (p, q) in enumerate(zip(*folds, strict=True)):
        fx = inputs.features(x, p.train, normal_scores=normal_scores, others=y.take(q.train))
        fy = inputs.features(y, q.train, normal_scores=normal_scores, others=x.take(p.train))
        build = networks.plain(architecture.hidden)
        with Reporter() as reporter:
            told = part(reporter, f"{name}, fold {k + 1} of {training.folds}")
            found.append(neural.sample_scores((fx, p), (fy, q), build, training, gain, rng, told))
    return found


def copies_note(count: int, n: int) -> tuple[str, ...]:
    """What copies do to rows that should be new."""
    if not count:
        return ()
    return (
        f"{count} of {n} rows are copies of others and may be trained on and judged by: the value may be too large",
    )


def require_torch(name: str) -> None:
    """Raises `MissingDependencyError` where no network can be trained."""
    if find_spec("torch") is None:
        raise MissingDependencyError(
            f"{name} trains a network and needs torch: pip install 'kullback[torch]'"
        )


def _neural(name: str) -> Any:
    """The trainers, where torch is there."""
    require_torch(name)
    from kullback.estimators.neural import pairs

    return pairs
