"""Estimates by density ratios: their arithmetic, what changes nothing, what is refused, and how often they cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import kullback as kb
from kullback.bounds import by_log_ratio
from kullback.errors import DTypeError, InvalidInputError, ShapeError, UnsupportedPairError
from kullback.estimators.ratios import KLIEP, ULSIF, ClassifierRatio, Variational, from_scores
from kullback.estimators.ratios.beyond import beyond, unlimited
from kullback.estimators.ratios.scores import Scores

NOUNS = (
    kb.js, kb.squared_hellinger, kb.total_variation, kb.kl, kb.reverse_kl, kb.pearson_chi2, kb.alpha(0.5),
    kb.renyi(0.5), kb.renyi(2), kb.renyi(1), kb.bhattacharyya, kb.chernoff,
)  # fmt: skip
MODELS = (ClassifierRatio(), ULSIF(), ULSIF(alpha=0.2), KLIEP())


def normals(n: int, d: int, shift: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(n, d))
    x[:, 0] += shift
    return x, y


@pytest.mark.parametrize("d", NOUNS, ids=str)
def test_true_scores_give_the_truth(d: kb.Divergence) -> None:
    x, y = normals(20000, 1, 0.5, 3)
    found = from_scores(d, 0.5 * x[:, 0] - 0.125, 0.5 * y[:, 0] - 0.125)
    truth = kb.between(d, stats.norm(0.5, 1), stats.norm(0, 1)).value
    assert abs(found.value - truth) < 3.5 * found.standard_error
    assert found.standard_error < 0.2 * truth
    assert not found.distrust


@pytest.mark.parametrize("d", [kb.js, kb.kl, kb.pearson_chi2, kb.le_cam], ids=str)
def test_the_value_is_the_variational_bound(d: kb.FDivergence) -> None:
    rng = np.random.default_rng(0)
    at_p, at_q = rng.normal(0.2, 1, 300), rng.normal(-0.2, 1, 200)
    assert from_scores(d, at_p, at_q).value == pytest.approx(float(by_log_ratio(d, at_p, at_q)), rel=1e-12)


def test_the_standard_error_of_scores_is_that_of_two_means() -> None:
    rng = np.random.default_rng(0)
    at_p, at_q = rng.normal(0.2, 1, 300), rng.normal(-0.2, 1, 200)
    by_hand = math.sqrt(np.var(at_p, ddof=1) / 300 + np.var(1 - np.exp(at_q), ddof=1) / 200)
    assert from_scores(kb.kl, at_p, at_q).standard_error == pytest.approx(by_hand, rel=1e-12)


def test_integer_weights_of_scores_are_repetitions() -> None:
    rng = np.random.default_rng(1)
    at_p, at_q, w = rng.normal(0.2, 1, 50), rng.normal(-0.2, 1, 40), rng.integers(1, 4, 50)
    weighted = from_scores(kb.js, at_p, at_q, weights_p=w.astype(float))
    assert weighted.value == pytest.approx(from_scores(kb.js, np.repeat(at_p, w), at_q).value, rel=1e-12)


@pytest.mark.parametrize("order", [0.3, 0.5, 2.0, 3.0])
def test_renyi_is_the_logarithm_of_both_averages(order: float) -> None:
    rng = np.random.default_rng(1)
    at_p, at_q = rng.normal(0.3, 1, 500), rng.normal(-0.3, 1, 400)
    w = rng.uniform(1.0, 2.0, 400)
    powers = np.mean(np.exp((order - 1) * at_p)), np.average(np.exp(order * at_q), weights=w)
    found = from_scores(kb.renyi(order), at_p, at_q, weights_q=w)
    assert found.value == pytest.approx(
        order / (order - 1) * math.log(powers[0]) - math.log(powers[1]), rel=1e-12
    )
    moved = from_scores(kb.renyi(order), at_p + 300.0, at_q + 300.0, weights_q=w)  # a factor of the ratio
    assert moved.value == pytest.approx(found.value, rel=1e-9)
    assert moved.standard_error == pytest.approx(found.standard_error, rel=1e-9)


def test_renyi_near_the_true_ratio_is_the_map_of_alpha() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(0.5, 1.0, 40_000), rng.normal(0.0, 1.0, 40_000)
    at_p, at_q = 0.5 * x - 0.125, 0.5 * y - 0.125
    inner, outer = from_scores(kb.alpha(0.5), at_p, at_q), from_scores(kb.renyi(0.5), at_p, at_q)
    assert outer.value == pytest.approx(-2 * math.log1p(-inner.value / 4), abs=1e-5)
    assert outer.value == pytest.approx(0.0625, abs=4 * outer.standard_error)
    assert outer.standard_error == pytest.approx(0.5 / (1 - inner.value / 4) * inner.standard_error, rel=1e-2)
    assert from_scores(kb.bhattacharyya, at_p, at_q).value == pytest.approx(outer.value / 2, rel=1e-12)
    assert from_scores(kb.chernoff, at_p, at_q).value >= outer.value / 2 - 1e-4


def test_renyi_is_finite_and_close_where_its_terms_are_wild() -> None:
    """The sum 1 + a (a - 1) D_a was negative in some of these sets: the logarithm, and the low end, were -inf."""
    found = []
    for seed in (9010, *range(7)):
        rng = np.random.default_rng(seed)
        answer = kb.estimate(kb.renyi(2.0), rng.normal(size=200), rng.normal(0.5, 1.0, 200))
        found.append(answer.value)
        assert math.isfinite(answer.value)
        assert math.isfinite(answer.low) == math.isfinite(answer.high)
    assert np.mean(found) == pytest.approx(0.25, abs=0.1)
    assert max(found) < 1.0


def test_classes_have_no_tail() -> None:
    hits = 0
    for seed in range(10):
        rng = np.random.default_rng([3, seed])
        x, y = rng.choice(3, 400, p=[0.5, 0.3, 0.2]), rng.choice(3, 400, p=[0.3, 0.3, 0.4])
        answer = kb.estimate(kb.js, x, y, kind="discrete", method=ClassifierRatio())
        assert not any("Pareto" in note for note in answer.notes)
        hits += answer.low < kb.js([0.5, 0.3, 0.2], [0.3, 0.3, 0.4]) < answer.high < 0.2
    assert hits >= 8


def test_heavy_tails_and_missing_overlap_are_told() -> None:
    heavy = np.log(stats.pareto(0.8).ppf((np.arange(4000) + 0.5) / 4000))
    assert "Pareto k" in from_scores(kb.pearson_chi2, heavy, -heavy).distrust
    apart = np.linspace(4, 5, 500)
    assert "denser" in from_scores(kb.kl, apart, -apart).distrust
    assert not from_scores(kb.js, apart, -apart).distrust


@pytest.mark.parametrize("d", [kb.renyi(0), kb.renyi(math.inf), kb.wasserstein(1)], ids=str)
def test_what_is_no_average_is_refused(d: kb.Divergence) -> None:
    x, y = normals(100, 1, 0.5, 0)
    with pytest.raises(UnsupportedPairError):
        kb.estimate(d, x, y, method=ClassifierRatio())


def test_bad_scores_and_parameters_are_refused() -> None:
    with pytest.raises(ShapeError):
        from_scores(kb.kl, np.zeros((3, 2)), np.zeros(3))
    with pytest.raises(InvalidInputError, match="finite"):
        from_scores(kb.kl, np.array([0.0, np.nan]), np.zeros(3))
    with pytest.raises(DTypeError, match="predict_proba"):
        ClassifierRatio(model=3)
    with pytest.raises(InvalidInputError, match="folds"):
        ULSIF(folds=1)
    for wrong in ({"alpha": 1.0}, {"centres": 0}, {"width": 0.0}, {"ridge": 0.0}):
        with pytest.raises(InvalidInputError):
            ULSIF(**wrong)  # type: ignore[arg-type]
    with pytest.raises(DTypeError):
        Variational(model=3)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="at least 20 rows"):
        kb.estimate(kb.js, np.arange(30.0), np.arange(9.0), method=ClassifierRatio())
    with pytest.raises(UnsupportedPairError, match="ClassifierRatio"):
        kb.estimate(kb.js, ["a", "b"] * 50, ["a", "b"] * 50, method=ULSIF())


@pytest.mark.parametrize("method", MODELS, ids=lambda m: m.name)
def test_models_find_the_truth(method: ClassifierRatio) -> None:
    x, y = normals(800, 1, 0.8, 5)
    answer = kb.estimate(kb.js, x, y, method=method)
    truth = kb.between(kb.js, stats.norm(0.8, 1), stats.norm(0, 1)).value
    assert answer.low < truth < answer.high
    assert answer.high - answer.low < 1.2 * truth


@pytest.mark.parametrize("method", [ClassifierRatio(), ULSIF()], ids=lambda m: m.name)
def test_order_units_and_seed_change_nothing(method: ClassifierRatio) -> None:
    x, y = normals(150, 2, 0.8, 6)
    rng = np.random.default_rng(0)
    first = kb.estimate(kb.js, x, y, method=method, seed=4)
    moved = kb.estimate(kb.js, rng.permutation(x) * 1e90, rng.permutation(y) * 1e90, method=method, seed=4)
    assert moved.value == pytest.approx(first.value, rel=1e-6)
    assert moved.high == pytest.approx(first.high, rel=1e-6)
    assert kb.estimate(kb.js, x, y, method=method, seed=4) == first


def test_weights_tilt_a_sample() -> None:
    x, y = normals(1500, 1, 0.0, 7)
    weights = np.exp(0.8 * x[:, 0])  # of N(0, 1), they make it N(0.8, 1)
    answer = kb.estimate(kb.js, x, y, method=ClassifierRatio(), weights_x=weights)
    truth = kb.between(kb.js, stats.norm(0.8, 1), stats.norm(0, 1)).value
    assert answer.low < truth < answer.high
    assert answer.high - answer.low < truth


def test_one_law_and_one_row() -> None:
    x, y = normals(300, 2, 0.0, 8)
    answer = kb.estimate(kb.js, x, y, method=ClassifierRatio())
    assert answer.low < 0 < answer.high
    constant = kb.estimate(kb.kl, np.ones(40), np.ones(50), method=ClassifierRatio())
    assert constant.value == 0.0
    copies = kb.estimate(kb.js, x, x, method=ClassifierRatio())
    assert abs(copies.value) < 0.01
    assert any("copies" in note for note in copies.notes)


def test_discrete_and_mixed_columns() -> None:
    rng = np.random.default_rng(9)
    a, b = rng.choice(list("uvw"), 1500, p=[0.5, 0.3, 0.2]), rng.choice(list("uvw"), 1500, p=[0.2, 0.3, 0.5])
    truth = float(kb.js([0.5, 0.3, 0.2], [0.2, 0.3, 0.5]))
    answer = kb.estimate(kb.js, a, b, method=ClassifierRatio())
    assert answer.low < truth < answer.high
    assert answer.high - answer.low < truth


def test_any_classifier_serves() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    model = linear_model.LogisticRegression()
    x, y = normals(800, 2, 1.0, 10)
    answer = kb.estimate(kb.kl, x, y, method=ClassifierRatio(model))
    assert answer.low < 0.5 < answer.high
    assert not hasattr(model, "coef_")
    tree = pytest.importorskip("sklearn.tree").DecisionTreeClassifier()
    with pytest.raises(InvalidInputError, match="certain"):
        kb.estimate(kb.kl, x, y, method=ClassifierRatio(tree))


def test_the_bound_is_below_and_open_above() -> None:
    x, y = normals(800, 1, 1.0, 11)
    bound = kb.estimate(kb.js, x, y, method=Variational())
    truth = kb.between(kb.js, stats.norm(1, 1), stats.norm(0, 1)).value
    assert bound.kind == "bounds"
    assert bound.low < truth < bound.high
    assert bound.high == pytest.approx(math.log(2))
    assert kb.estimate(kb.kl, x, y, method=Variational()).high == math.inf
    apart = kb.estimate(kb.js, x, y + 20.0, method=Variational())
    assert apart.low > 0.6
    assert any("near the largest" in note for note in apart.notes)


COVERED = {
    "shifted normals, d=3": (
        lambda r: (r.normal([0.7, 0, 0], 1, (400, 3)), r.normal(size=(400, 3))),
        None,
    ),
    "two scales": (
        lambda r: (r.normal(0, 0.7, 400), r.normal(0, 1, 400)),
        (stats.norm(0, 0.7), stats.norm(0, 1)),
    ),
    "gammas": (lambda r: (r.gamma(3, 1, 400), r.gamma(2, 1, 400)), (stats.gamma(3), stats.gamma(2))),
    "Student and normal": (
        lambda r: (r.standard_t(3, 400), r.normal(size=400)),
        (stats.t(3), stats.norm(0, 1)),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", COVERED)
def test_intervals_cover(case: str) -> None:
    draw, laws = COVERED[case]
    p, q = laws or (stats.norm(0.7, 1), stats.norm(0, 1))
    truth, hits = kb.between(kb.js, p, q).value, 0
    for seed in range(60):
        answer = kb.estimate(
            kb.js, *draw(np.random.default_rng([17, seed])), method=ClassifierRatio(), seed=seed
        )
        hits += answer.low <= truth <= answer.high
    # 1 in 150 runs of intervals of 95 % do worse than 52; on heavy tails they cover about 90 %, as documented
    assert hits >= (47 if case == "Student and normal" else 52), f"{hits} of 60"


def of_student(d: kb.FDivergence, seed: int) -> kb.Answer:
    r = np.random.default_rng([29, seed])
    return kb.estimate(d, r.standard_t(3, 400), r.normal(size=400), method=ClassifierRatio(), seed=seed)


def test_what_lies_beyond_the_other_sample_limits_what_is_promised() -> None:
    top, rest = np.log([8.0, 2.0]), np.zeros(9)
    scores = Scores(np.append(top[:1], rest), np.append(top[1:], rest))
    mirrored = Scores(-scores.at_q, -scores.at_p)
    assert beyond(kb.kl, scores) == pytest.approx(math.log(4) / 10, rel=1e-12)  # one row in ten
    assert beyond(kb.reverse_kl, mirrored) == pytest.approx(math.log(4) / 10, rel=1e-12)
    assert "upper limit" in unlimited(kb.kl, 0.1, 0.2)
    assert not unlimited(kb.js, 0.1, 0.2)
    assert not unlimited(kb.kl, 0.05, 0.2)
    assert of_student(kb.kl, 0).high == math.inf


@pytest.mark.slow
@pytest.mark.parametrize("d", [kb.squared_hellinger, kb.kl], ids=str)
def test_heavy_tails_are_covered_or_told(d: kb.FDivergence) -> None:
    truth = kb.between(d, stats.t(3), stats.norm(0, 1)).value
    found = [of_student(d, seed) for seed in range(40)]
    hits = sum(answer.low <= truth <= answer.high for answer in found)
    assert hits >= 33, f"{hits} of 40"  # 1 in 25 intervals of 90 % do worse
