"""`method="auto"`: every question is answered by a method that serves it, or refused with what would; known answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kullback as kb
from kullback.errors import UnsupportedPairError
from kullback.estimators import diagnostics
from problems.samples_failures import ROWS, failures
from problems.samples_problem import JointProblem

RNG = np.random.default_rng(0)
N = 300
X = RNG.standard_normal((N, 3))
Y = X + RNG.standard_normal((N, 3))
WORDS = np.where(X[:, 0] > 0, "a", "b")
OTHERS = np.where(Y[:, 0] > 0.5, "a", "b")
MIXED = {"number": X[:, 1], "word": WORDS}
WEIGHTS = RNG.uniform(1, 2, N)


def frame(number: Any, word: Any) -> Any:
    import polars as pl

    return pl.DataFrame({"number": number, "word": word})


INFORMATION: list[tuple[str, Any, Any, dict[str, Any]]] = [
    ("KSG(weighted k)", X[:, 0], Y[:, 0], {}),
    ("mixture information", X, Y, {}),
    ("mixture information", X[:, :2], Y[:, 0], {}),
    ("KSG(weighted k)", np.round(X, 0), Y, {}),  # atoms have no density
    ("KSG(weighted k)", X[:15], Y[:15], {}),  # too few rows for a law
    ("counts", WORDS, OTHERS, {}),
    ("counts", WORDS, OTHERS, {"weights": WEIGHTS}),
    ("Ross, weighted k", WORDS, Y[:, 0], {}),
    ("mixed KSG, k=10", frame(X[:, 1], WORDS), Y[:, 0], {}),
    ("conditional KSG, weighted k", X[:, 0], Y[:, 0], {"given": X[:, 1]}),
    ("Ross, weighted k", WORDS, Y[:, 0], {"given": OTHERS}),
    ("GridInformation", X[:, 0], Y[:, 0], {"divergence": kb.js}),
    ("ratio information (logistic)", X[:, :2], Y[:, 0], {"divergence": kb.js}),
    ("counts", WORDS, OTHERS, {"divergence": kb.total_variation}),
]
DIVERGENCES: list[tuple[str, Any, Any, Any, dict[str, Any]]] = [
    ("nearest-neighbour KL", kb.kl, X, Y, {}),
    ("GridDivergence", kb.js, X[:, 0], Y[:, 0], {}),
    ("classifier ratio (logistic, 5 folds)", kb.js, X, Y, {}),
    ("classifier ratio (logistic, 5 folds)", kb.kl, X, Y, {"weights_x": WEIGHTS}),
    ("classifier ratio (logistic, 5 folds)", kb.renyi(2.0), X[:, 0], Y[:, 0], {}),
    ("counts", kb.kl, WORDS, OTHERS, {}),
    ("transport on the line", kb.wasserstein(1), X[:, 0], Y[:, 0], {}),
    ("kernel means", kb.energy_distance, X, Y, {}),
]


@pytest.mark.parametrize(("name", "x", "y", "options"), INFORMATION)
def test_information_by_kinds_and_columns(name: str, x: Any, y: Any, options: dict[str, Any]) -> None:
    answer = kb.mutual_information(x, y, **options)
    assert answer.method.startswith(name), answer.method
    assert np.isfinite(answer.value)
    assert any(note.startswith(f"auto: {answer.method}, ") for note in answer.notes)


@pytest.mark.parametrize(("name", "d", "x", "y", "options"), DIVERGENCES)
def test_divergences_by_kinds_and_columns(name: str, d: Any, x: Any, y: Any, options: dict[str, Any]) -> None:
    answer = kb.estimate(d, x, y, **options)
    assert answer.method.startswith(name), answer.method
    assert np.isfinite(answer.value)
    assert any(note.startswith("auto: ") for note in answer.notes)


def test_entropies_by_kinds() -> None:
    assert kb.entropy(X).method.startswith("Kozachenko")
    assert kb.entropy(WORDS).method.startswith("Chao")
    assert kb.entropy(np.round(X, 1)).method == "Kozachenko-Leonenko before rounding"
    assert kb.entropy(frame(X[:, 1], WORDS)).method.startswith("Chao-Wang-Jost, then Kozachenko")
    assert (
        kb.entropy(frame(X[:, 1], WORDS), weights=WEIGHTS).method
        == "Miller-Madow, then KDEEntropy within classes"
    )
    assert kb.entropy(WORDS, weights=WEIGHTS).method.startswith("Miller")
    assert kb.entropy(["a", "b"] * 500).bits.value == pytest.approx(1.0, abs=0.01)


def test_what_nothing_serves_is_refused_with_every_reason() -> None:
    with pytest.raises(
        UnsupportedPairError, match=r"no method for the entropy of `x`; Kozachenko.*weights out"
    ):
        kb.entropy(X, weights=WEIGHTS)
    with pytest.raises(UnsupportedPairError, match=r"GridInformation: .*; ratio information"):
        kb.mutual_information(X[:, 0], Y[:, 0], given=X[:, 1], divergence=kb.js)


def test_a_permutation_test_takes_the_same_method() -> None:
    answer = kb.mutual_information(X[:100], Y[:100], permutations=39)
    assert answer.p_value == pytest.approx(1 / 40)


def test_one_seed_one_answer() -> None:
    assert kb.mutual_information(X, Y, seed=3) == kb.mutual_information(X, Y, seed=3)


@pytest.mark.parametrize("problem", failures(), ids=lambda p: p.name)
def test_data_on_which_others_fail(problem: JointProblem) -> None:
    """Within 8 % of the truth or 0.02, as the mean of three draws."""
    found = np.mean([problem.ask(ROWS, seed).value for seed in range(3)])
    assert found == pytest.approx(problem.truth, rel=0.08, abs=0.02)


def test_atoms_lead_away_from_densities(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above notices when atoms are not looked at."""
    monkeypatch.setattr(diagnostics, "atoms", lambda _: 0.0)
    assert kb.mutual_information(np.round(X, 0), Y).method == "mixture information"
