"""What every method owes its caller, whatever it estimates: asked of all that the catalogue lists."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import kullback as kb
from estimators.questions import ROWS, Case, cases, defaults, params, questions, trains
from kullback.answer import Answer
from kullback.errors import KullbackError, SmallSampleWarning, TieWarning, UnsupportedPairError
from kullback.estimators.critics import WassersteinDependency
from kullback.estimators.method import DivergenceMethod, EntropyMethod
from kullback.estimators.rounding import RoundedEntropy

pytestmark = [
    pytest.mark.filterwarnings(f"ignore::{warning.__module__}.{warning.__qualname__}")
    for warning in (TieWarning, SmallSampleWarning, kb.errors.CoverageWarning)
]

ALL = cases()
CONTINUOUS = [case for case in ALL if case.question.continuous]
# Laws that are not meant for a method, by its name.
EXEMPT: dict[str, frozenset[str]] = {
    # Weights go by proportions: a row is one observation whatever its weight, and Kish's number of rows sets the
    # bandwidth. Repeated rows are so many observations, and where one is left out to choose a bandwidth, its copies
    # betray it; that they are copies, and no coarse scale, nothing says.
    "repetition": frozenset({"GridInformation", "GridDivergence", "KDEEntropy"}),
}
# Sums over pairs of different rows: a copy is another row, with which its original pairs, and a weighted row is one. No
# such sum can serve both readings of a weight; they differ by what one row in n is worth.
PAIRING = frozenset({"KernelMeans", "KernelPotentials"})
# A row of weight 2 is one observation where the number of rows sets a bias or a bandwidth; see test_weights.
PAIRING |= {"GaussianCopula", "GaussianInformation"}


def kept(law: str, found: Any) -> list[Any]:
    """The cases of a law, without those of methods for which it is not meant."""
    return params([case for case in found if type(case.method).__name__ not in EXEMPT.get(law, ())])


def folded(case: Case) -> bool:
    """Whether the rows are dealt to folds: what changes their order by content changes the folds."""
    return hasattr(case.method, "folds") or trains(case.method)


def same(
    found: Answer,
    expected: Answer,
    *,
    rel: float = 0.0,
    ends: float = 0.0,
    plus: float = 0.0,
    times: float = 1.0,
) -> None:
    """The value, and the ends of the interval to `ends` of its width where they come from draws; in another unit."""
    width = times * abs(expected.high - expected.low)
    reach = times * abs(expected.value) + (width if math.isfinite(width) else 0.0) + abs(plus)
    for name in ("value", "low", "high"):
        now, before = getattr(found, name), times * getattr(expected, name) + plus
        allowed = rel * reach + (ends * width if name != "value" and ends else 0.0)
        assert now == before or abs(now - before) <= allowed, (name, now, before)


@pytest.mark.parametrize("case", kept("seed", ALL))
def test_one_seed_one_answer_and_no_global_generator(case: Case) -> None:
    case.ask()  # importing POT draws from NumPy's generator: the first call may, the others must not
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy(), random.getstate(), torch.get_rng_state()  # noqa: NPY002
    first = case.ask()
    after = np.random.get_state()[1], random.getstate(), torch.get_rng_state()  # noqa: NPY002
    assert np.array_equal(before[0], after[0])
    assert before[1] == after[1]
    assert torch.equal(before[2], after[2])
    assert case.ask() == first


@pytest.mark.parametrize("case", kept("answer", ALL))
def test_answers_are_well_formed(case: Case) -> None:
    answer = case.ask()
    assert math.isfinite(answer.value)
    assert answer.low <= answer.value <= answer.high
    assert answer.standard_error is not None
    assert answer.standard_error >= 0
    untrusted = answer.low == -math.inf and answer.high == math.inf
    if untrusted:
        assert "no interval: " in answer.notes[0]
    else:
        assert math.isfinite(answer.standard_error)
    assert answer.method
    assert answer.kind in ("estimate", "bounds", "exact")
    narrow = case.saying(level=0.5).ask()
    assert answer.low <= narrow.low
    assert narrow.high <= answer.high


@pytest.mark.parametrize("case", kept("order", ALL))
def test_the_order_of_rows_says_nothing(case: Case) -> None:
    def turned(rows: np.ndarray) -> np.ndarray:
        return rows[::-1][np.random.default_rng(len(rows)).permutation(len(rows))]

    same(case.having(turned).ask(), case.ask(), rel=1e-9)


@pytest.mark.parametrize("case", kept("units", CONTINUOUS))
@pytest.mark.parametrize("change", ["moved", "tiny", "huge"])
def test_units_of_the_data(case: Case, change: str) -> None:
    factor = {"tiny": 1e-100, "huge": 1e100}.get(change, 1.0)
    stepped = case.having(_stepped)
    moved = stepped.having(lambda v: (v + 1e6) if change == "moved" else v * factor)
    same(moved.ask(), stepped.ask(), rel=1e-6, **_effect(case, factor))


@pytest.mark.parametrize("case", kept("mirror", [case for case in CONTINUOUS if not folded(case)]))
def test_a_mirror_image_says_the_same(case: Case) -> None:
    stepped = case.having(_stepped)
    same(stepped.having(np.negative).ask(), stepped.ask(), rel=1e-6, ends=0.1)


def _stepped(v: np.ndarray) -> np.ndarray:
    """On a grid that float64 keeps under a shift by 10⁶."""
    return np.round(v * 2**20) / 2**20


def _effect(case: Case, factor: float) -> dict[str, float]:
    """What a change of the unit of x does to the answer."""
    noun = case.question.noun
    if isinstance(case.method, EntropyMethod):
        return {"plus": case.question.data["x"].shape[1] * math.log(factor)}
    distance = noun is not None and noun.unit == "units of x"
    return {"times": factor} if distance else {}


@pytest.mark.parametrize("case", kept("constant column", [c for c in CONTINUOUS if c.question.noun is None]))
def test_a_constant_column_says_nothing(case: Case) -> None:
    wider = case.having(lambda v: np.column_stack([v, np.full(len(v), 3.0)]), "x")
    if isinstance(case.method, EntropyMethod):
        assert _outcome(wider.ask) in (-math.inf, KullbackError)
    elif case.method.refusal(wider.question.problem):
        pytest.skip("takes one column")
    else:
        same(wider.ask(), case.ask(), rel=1e-6)


def _outcome(ask: Callable[[], Answer]) -> Any:
    """The value, or KullbackError for whatever the library refuses."""
    try:
        return ask().value
    except KullbackError:
        return KullbackError


SPOILT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "one row": lambda v: v[:1],
    "two rows": lambda v: v[:2],
    "four rows": lambda v: v[:4],
    "constant": np.ones_like,
    "rounded": np.round,
    "mostly zero": lambda v: np.where(np.arange(len(v)).reshape(-1, *[1] * (v.ndim - 1)) % 3, v * 0, v),
    "doubled rows": lambda v: np.concatenate([v[:20], v[:20]]),
}


@pytest.mark.parametrize("case", kept("spoilt", ALL))
@pytest.mark.parametrize("change", SPOILT)
def test_bad_data_is_answered_or_refused(case: Case, change: str) -> None:
    outcome = _outcome(case.having(SPOILT[change]).ask)
    assert outcome is KullbackError or not math.isnan(outcome)


DIVERGENCES = [case for case in ALL if case.question.kind is DivergenceMethod]


# a critic after ten steps knows nothing of either sample
@pytest.mark.parametrize("case", kept("identical", [c for c in DIVERGENCES if not trains(c.method)]))
def test_identical_samples(case: Case) -> None:
    x = case.question.data["x"]
    outcome = _outcome(case.having(lambda _: x, "y").ask)
    if outcome is not KullbackError:
        assert outcome == -math.inf or abs(outcome) < 0.5


@pytest.mark.parametrize("case", kept("container", ALL))
def test_arrays_lists_tensors_and_frames_are_read_alike(case: Case) -> None:
    expected = case.ask()

    def frame(v: np.ndarray) -> pl.DataFrame:
        wide = v if v.ndim == 2 else v[:, None]
        return pl.DataFrame({f"c{i}": wide[:, i] for i in range(wide.shape[1])})

    for change in (np.ndarray.tolist, lambda v: torch.tensor(v.copy()), frame):
        same(case.having(change).ask(), expected)


def weighted(case: Case, weights: Callable[[int], np.ndarray]) -> Case:
    """The case with weights for every sample that it has."""
    if case.question.kind is DivergenceMethod:
        x, y = case.question.data["x"], case.question.data["y"]
        return case.saying(weights_x=weights(len(x)), weights_y=weights(len(y)))
    return case.saying(weights=weights(ROWS))


def uneven(n: int) -> np.ndarray:
    return 1.0 + np.arange(n) % 3


def takes_weights(case: Case) -> bool:
    return not case.method.refusal(weighted(case, uneven).question.problem)


# copies of a row are dealt to several folds, one weighted row to one
SERVES_WEIGHTS = [case for case in ALL if not folded(case) and takes_weights(case)]


@pytest.mark.parametrize("case", kept("equal weights", ALL))
def test_equal_weights_are_no_weights(case: Case) -> None:
    same(weighted(case, lambda n: np.full(n, 2.5)).ask(), case.ask(), rel=1e-12)


@pytest.mark.parametrize("case", kept("zero weights", ALL))
def test_rows_of_weight_zero_are_left_out(case: Case) -> None:
    def out(n: int) -> np.ndarray:
        return (np.arange(n) % 3 > 0).astype(float)

    fewer = case.having(lambda v: v[out(len(v)) > 0])
    same(weighted(case, out).ask(), fewer.ask(), rel=1e-12)


@pytest.mark.parametrize("case", kept("repetition", SERVES_WEIGHTS))
def test_whole_weights_are_repeated_rows(case: Case) -> None:
    repeated = case.having(lambda v: np.repeat(v, uneven(len(v)).astype(int), axis=0))
    found, expected = weighted(case, uneven).ask(), repeated.ask()
    if type(case.method).__name__ in PAIRING:
        assert found.standard_error is not None
        assert abs(found.value - expected.value) <= 2.0 * found.standard_error
    else:
        assert found.value == pytest.approx(expected.value, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("case", kept("missing", CONTINUOUS))
def test_missing_values_raise_or_are_dropped(case: Case) -> None:
    def gone(v: np.ndarray) -> np.ndarray:
        holes = v.copy()
        holes[::5, 0] = np.nan
        return holes

    spoilt = case.having(gone)
    with pytest.raises(kb.InvalidInputError, match="missing='drop'"):
        spoilt.ask()
    fewer = case.having(lambda v: v[np.arange(len(v)) % 5 > 0])
    dropped = spoilt.saying(missing="drop").ask()
    same(dropped, fewer.ask(), rel=1e-9)
    assert any("left out" in note for note in dropped.notes)


@pytest.mark.parametrize("method", defaults(), ids=lambda m: type(m).__name__)
def test_a_refusal_says_why(method: Any) -> None:
    refused = [q for q in questions() if isinstance(method, q.kind) and method.refusal(q.problem)]
    served = [q for q in questions() if isinstance(method, q.kind) and not method.refusal(q.problem)]
    # the one that measures a distance from independence serves no question in nats, the other no rows without ties
    assert served or type(method) in (WassersteinDependency, RoundedEntropy), method.name
    for q in refused:
        reason = method.refusal(q.problem)
        assert len(reason) > 20
        with pytest.raises(UnsupportedPairError) as caught:
            q.ask(method)
        assert reason in str(caught.value)
