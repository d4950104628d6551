"""The laws notice: each of them fails on a method that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from estimators import test_laws as laws
from estimators.questions import Case, questions
from kullback.estimators.method import EntropyMethod, Estimate
from kullback.estimators.problem import OneSample

Found = Callable[[OneSample], Estimate]


@dataclass(frozen=True)
class Broken(EntropyMethod):
    """A method of the test's own making; the catalogue lists none from outside the library."""

    found: Found
    reason: str = ""

    @property
    def name(self) -> str:
        return "broken"

    def refusal(self, problem: OneSample) -> str:
        return "" if problem.x.dimension == 1 else self.reason

    def estimate(self, problem: OneSample) -> Estimate:
        return self.found(problem)


def case(found: Found) -> Case:
    return Case(Broken(found), questions()[0])


def spread(p: OneSample) -> float:
    """Moves with the unit as an entropy does."""
    return float(np.log(p.x.values.std()) + p.x.dimension * p.x.exponent * np.log(2))


def drawing(p: OneSample) -> Estimate:
    return Estimate(spread(p) + 1e-3 * np.random.standard_normal(), 0.1)  # noqa: NPY002


def crossed(p: OneSample) -> Estimate:
    return Estimate(spread(p), 0.1, interval=lambda level: (spread(p) + level, spread(p) + 2))


def of_first_row(p: OneSample) -> Estimate:
    return Estimate(spread(p) + float(p.x.values[0, 0]), 0.1)


def of_scale(p: OneSample) -> Estimate:
    return Estimate(float(np.log(p.x.values.std())), 0.1)


def of_sign(p: OneSample) -> Estimate:
    return Estimate(spread(p) + float(p.x.values.mean()), 0.1)


def not_a_number(p: OneSample) -> Estimate:
    return Estimate(float("nan"), 0.1)


def careful(p: OneSample) -> Estimate:
    return Estimate(spread(p), 0.1)


def weighing_twice(p: OneSample) -> Estimate:
    extra = 0.0 if p.weights is None else float(np.sum(p.weights**2))
    return Estimate(spread(p) + extra, 0.1)


FAILING: list[tuple[Callable[[Case], None], Found]] = [
    (laws.test_one_seed_one_answer_and_no_global_generator, drawing),
    (laws.test_answers_are_well_formed, crossed),
    (laws.test_answers_are_well_formed, not_a_number),
    (laws.test_the_order_of_rows_says_nothing, of_first_row),
    (lambda c: laws.test_units_of_the_data(c, "huge"), of_scale),
    (laws.test_a_mirror_image_says_the_same, of_sign),
    (lambda c: laws.test_bad_data_is_answered_or_refused(c, "rounded"), not_a_number),
    (laws.test_whole_weights_are_repeated_rows, weighing_twice),
    (laws.test_arrays_lists_tensors_and_frames_are_read_alike, drawing),
]


@pytest.mark.parametrize(("law", "found"), FAILING)
def test_a_law_fails_on_a_method_that_breaks_it(law: Callable[[Case], None], found: Found) -> None:
    with pytest.raises((AssertionError, ValueError)):
        law(case(found))


@pytest.mark.parametrize("law", [law for law, found in FAILING if found is not weighing_twice])
def test_and_holds_for_one_that_does_not(law: Callable[[Case], None]) -> None:
    law(case(careful))


def test_a_refusal_without_a_reason_is_noticed() -> None:
    laws.test_a_refusal_says_why(Broken(careful, "takes one column of numbers"))
    with pytest.raises(AssertionError):
        laws.test_a_refusal_says_why(Broken(careful, "no"))
