"""The verbs that answer from samples: read the rows, take the method, run it, say how sure."""

from __future__ import annotations

from typing import Any, Literal, cast

from kullback.answer import Answer
from kullback.divergences import FDivergence, Noun, kl
from kullback.errors import DTypeError, UnsupportedPairError
from kullback.estimators import asked, choose, interval, permutation
from kullback.estimators.compression import Compress, compressed
from kullback.estimators.critics.dependency import WassersteinDependency
from kullback.estimators.method import DivergenceMethod, EntropyMethod, InformationMethod
from kullback.estimators.problem import Problem, read_joint, read_one, read_two
from kullback.estimators.samples import Kinds, Missing

Auto = Literal["auto"]


def estimate(
    d: Noun,
    x: Any,
    y: Any,
    *,
    method: DivergenceMethod | Auto = "auto",
    kind: Kinds = None,
    weights_x: Any = None,
    weights_y: Any = None,
    missing: Missing = "raise",
    permutations: int = 0,
    level: float = 0.95,
    seed: int = 0,
) -> Answer:
    r"""The divergence of the laws that two samples come from, $D(p \| q)$ with x drawn from p and y from q.

    `x` (n,) or (n, columns) and `y` (m,) or (m, columns) are arrays of NumPy, torch or JAX, lists, or dataframes.
    Floats are continuous, text and booleans discrete; integers and times need a declaration, `kind="discrete"` or
    `"continuous"` (of times: seconds), or a sequence of these, one a column. `method` is an object of
    `kullback.estimators`; `"auto"` chooses by the kinds of the columns, their number and the rows, and says so in the
    notes. Weights multiply rows; `missing="drop"` leaves rows without a value out and reports them. `permutations` > 0
    adds the p-value of "one law" as `answer.p_value`. The same `seed` gives the same answer.

    The answer is in the unit of `d`; `.bits` converts nats. Raises `InvalidInputError`, `ShapeError`, `DTypeError`, or
    `UnsupportedPairError` where the method does not serve the problem. Source: [wang2009], [nguyen2010].

    >>> import kullback as kb
    >>> kb.estimate(kb.wasserstein(1), [0.0, 1.0, 3.0, 4.0], [5.0, 6.0, 8.0, 9.0]).value
    5.0
    """
    if not isinstance(d, Noun):
        raise DTypeError(f"the first argument is the divergence, such as kb.js; got {type(d).__name__}")
    asked.check(level=level, seed=seed, permutations=permutations)
    problem = read_two(
        d, x, y, kind=kind, weights_x=weights_x, weights_y=weights_y, missing=missing, seed=seed
    )
    used, notes = _chosen(method, DivergenceMethod, choose.for_divergence, problem)
    found = used.estimate(problem)
    p = permutation.equality(used, problem, permutations) if permutations else None
    return interval.answer(
        found, method=used.name, n=problem.n, level=level, unit=d.unit, p_value=p, notes=notes
    )


def entropy(
    x: Any,
    *,
    method: EntropyMethod | Auto = "auto",
    kind: Kinds = None,
    weights: Any = None,
    missing: Missing = "raise",
    level: float = 0.95,
    seed: int = 0,
) -> Answer:
    r"""The entropy of the law that a sample comes from: $-\int p \log p$, or $-\sum p \log p$ for discrete columns.

    The arguments are those of `estimate`. A differential entropy depends on the unit of x and can be negative; that of
    a law with atoms is −inf. Raises as `estimate` does. Source: [kozachenko1987], [miller1955].

    >>> import kullback as kb
    >>> round(kb.entropy(["a", "b"] * 500).bits.value, 2)
    1.0
    """
    asked.check(level=level, seed=seed)
    problem = read_one(x, kind=kind, weights=weights, missing=missing, seed=seed)
    used, notes = _chosen(method, EntropyMethod, choose.for_entropy, problem)
    return interval.answer(used.estimate(problem), method=used.name, n=problem.n, level=level, notes=notes)


def mutual_information(
    x: Any,
    y: Any,
    *,
    given: Any = None,
    divergence: Noun = kl,
    method: InformationMethod | Auto = "auto",
    compress: Compress = None,
    kind_x: Kinds = None,
    kind_y: Kinds = None,
    kind_given: Kinds = None,
    weights: Any = None,
    missing: Missing = "raise",
    permutations: int = 0,
    level: float = 0.95,
    seed: int = 0,
) -> Answer:
    r"""How much x tells of y, from rows of both: $I(X; Y) = D(p_{xy} \| p_x p_y)$, for KL the mutual information.

    $$I(X; Y \mid Z) = E_z\, D\big(p_{xy|z} \,\|\, p_{x|z}\, p_{y|z}\big) \quad\text{with } \texttt{given} = z.$$

    `x`, `y` and `given` have the same number of rows and any number of columns; kinds, weights, missing values, method
    and seed are those of `estimate`. Another `divergence` gives another f-information, or with
    `kb.wasserstein(1)` and a `WassersteinDependency` the distance from independence. `permutations` > 0 adds the
    p-value of independence as `answer.p_value`. Values below zero are what the data said: at independence half of them
    are. `compress` makes the columns of x and of y fewer first, by one compressor for each of them or by a pair (None
    leaves a variable as it is); the information can only become smaller, and the notes say what was kept. Raises as
    `estimate` does. Source: [kraskov2004], [cover2006].

    >>> import kullback as kb
    >>> x = ["a", "b"] * 500
    >>> round(kb.mutual_information(x, x).bits.value, 2)
    1.0
    """
    asked.check(level=level, seed=seed, permutations=permutations)
    problem = read_joint(
        x,
        y,
        given,
        kinds=(kind_x, kind_y, kind_given),
        divergence=_measure(divergence, method),
        weights=weights,
        missing=missing,
        seed=seed,
    )
    problem, kept = compressed(problem, compress)
    used, notes = _chosen(method, InformationMethod, choose.for_information, problem)
    notes = (*notes, *kept)
    found = used.estimate(problem)
    p = permutation.independence(used, problem, permutations) if permutations else None
    return interval.answer(
        found, method=used.name, n=problem.n, level=level, unit=divergence.unit, p_value=p, notes=notes
    )


def _measure(divergence: Noun, method: InformationMethod | Auto) -> FDivergence | None:
    """The f-divergence of an f-information, None for KL; a distance passes where the method knows it."""
    if isinstance(divergence, FDivergence) or isinstance(method, WassersteinDependency):
        return None if divergence == kl else cast(FDivergence, divergence)
    raise UnsupportedPairError(
        f"{divergence!r} from independence is not an f-information; of the others kb.wasserstein(1) is bounded by "
        "method=WassersteinDependency()"
    )


def _chosen(method: Any, kind: type, choice: Any, problem: Problem) -> tuple[Any, tuple[str, ...]]:
    """The method to run and the notes about it; what a caller asked for is refused where it does not serve."""
    if method == "auto":
        chosen = choice(problem)
        return chosen.method, (f"auto: {chosen.method.name}, {chosen.reason}", *chosen.notes, *problem.notes)
    if not isinstance(method, kind):
        known = kind.__name__.removesuffix("Method").lower()
        raise DTypeError(
            f"method is {method!r}; expected 'auto' or an object of kullback.estimators that answers {known} questions"
        )
    reason = method.refusal(problem)
    if reason:
        raise UnsupportedPairError(f"{method.name}: {reason}")
    return method, problem.notes
