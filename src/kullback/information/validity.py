"""Conclusions that stay valid when data are used again: a holdout that answers through noise, and what that leaks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.answer import Answer
from kullback.errors import BudgetError, DTypeError, InvalidInputError, ShapeError


@dataclass(frozen=True)
class Reply:
    r"""What a reusable holdout says: the numbers, which of them the holdout gave, and how many it still can give.

    `value` and `from_holdout` have the shape of the statistic, and `left` counts the answers of the holdout that
    remain: $\texttt{left} = B - \sum \texttt{from\_holdout}$ over all questions so far. Source: [dwork2015].

    >>> import numpy as np
    >>> reply = ReusableHoldout(np.zeros(4), np.zeros(4), budget=1, seed=0).ask(np.mean)
    >>> float(reply.value), reply.left
    (0.0, 1)
    """

    value: NDArray[np.float64]
    from_holdout: NDArray[np.bool]
    left: int


class ReusableHoldout:
    r"""A holdout for many questions, each chosen after the answers before it: Thresholdout.

    $$a(\phi) = \begin{cases} \phi(T) & |\phi(T) - \phi(H)| \le \hat T + \eta \\
    \phi(H) + \xi & \text{otherwise} \end{cases}, \qquad
    \hat T - T_0 \sim \mathrm{Lap}(2\sigma),\ \eta \sim \mathrm{Lap}(4\sigma),\ \xi \sim \mathrm{Lap}(\sigma)$$

    with the training rows T, the holdout H, the `threshold` T₀ and the `noise` σ. A statistic is answered from the
    training rows as long as the holdout agrees; where they disagree the holdout answers through noise, and its
    `budget` of such answers is one less, and T̂ is drawn again. The answers stay near the truth for any analyst
    because they are differentially private in the holdout: see `privacy`. 4σ has to be well below T₀, or training rows
    that the holdout contradicts pass, and the budget goes where nothing disagrees: with the defaults at a few questions
    in a hundred. T₀ in turn has to be well above the holdout's own error: use 10 000 rows or more.

    `train` and `holdout` are whatever the statistics read; the length of `holdout` counts its rows. Raises
    `InvalidInputError` unless threshold, noise and budget are positive. Source: [dwork2015].

    >>> import numpy as np
    >>> box = ReusableHoldout(np.ones(10_000), np.zeros(10_000), budget=3, seed=0)
    >>> reply = box.ask(np.mean)  # 1 on the training rows, 0 on the holdout
    >>> abs(float(reply.value)) < 0.1, bool(reply.from_holdout), box.left
    (True, True, 2)
    """

    def __init__(
        self,
        train: Any,
        holdout: Any,
        *,
        budget: int,
        threshold: float = 0.04,
        noise: float = 0.0025,
        seed: int = 0,
    ) -> None:
        for name, x in (("threshold", threshold), ("noise", noise), ("budget", budget)):
            if not 0 < x < math.inf:
                raise InvalidInputError(f"`{name}` is {x!r}; expected a finite number above 0")
        if budget != int(budget):
            raise InvalidInputError(f"`budget` counts answers of the holdout; got {budget!r}")
        self._train, self._holdout, self._rng = train, holdout, np.random.default_rng(seed)
        self._noise, self._threshold = float(noise), float(threshold)
        self._budget = self._left = int(budget)
        self._limit = self._fresh_limit()

    @property
    def left(self) -> int:
        """How many answers the holdout can still give."""
        return self._left

    @property
    def privacy(self) -> float:
        r"""The differential privacy of all answers together, $\varepsilon = 2 B / (\sigma n)$, for means in [0, 1].

        Between any two holdouts that differ in one row the answers' laws have a Rényi divergence of order ∞ of at most
        ε, in nats; `max_information` says what follows for an analyst who uses them.

        >>> ReusableHoldout([0] * 100, [0] * 100, budget=5, noise=0.1).privacy
        1.0
        """
        return 2 * self._budget / (self._noise * len(self._holdout))

    def ask(self, statistic: Callable[[Any], Any]) -> Reply:
        """The statistic of the training rows, or of the holdout through noise where the two disagree.

        `statistic` maps rows to a number, or to an array of numbers that count as questions one after the other; each
        is a mean of something in [0, 1], or moves as little when one row changes. Raises `BudgetError` as soon as the
        budget is spent, also within an array, whose answers are lost then; `ShapeError` or `DTypeError` where what the
        statistic returns is no such array.
        """
        self._must_have_budget()
        train, holdout = (_numbers(statistic(rows)) for rows in (self._train, self._holdout))
        if train.shape != holdout.shape:
            raise ShapeError(
                f"the statistic has shape {train.shape} on the training rows and {holdout.shape} on the holdout; "
                "expected one shape"
            )
        apart = np.abs(train - holdout).ravel()
        apart += self._rng.laplace(scale=4 * self._noise, size=apart.shape)
        used = np.zeros(apart.shape, dtype=bool)
        for k, gap in enumerate(apart):
            self._must_have_budget()
            if gap > self._limit:
                used[k] = True
                self._left -= 1
                self._limit = self._fresh_limit()
        used = used.reshape(train.shape)
        noisy = holdout + self._rng.laplace(scale=self._noise, size=holdout.shape)
        return Reply(np.where(used, noisy, train), used, self._left)

    def _fresh_limit(self) -> float:
        return self._threshold + self._rng.laplace(scale=2 * self._noise)

    def _must_have_budget(self) -> None:
        if self._left == 0:
            raise BudgetError(
                f"all {self._budget} answers that the holdout can give are given; draw fresh rows, or plan with a "
                "larger `budget`, which needs more rows for the same privacy"
            )


def max_information(epsilon: float, *, n: int, miss: float = 0.0) -> Answer:
    r"""How much the answers of an ε-private procedure can tell of its n rows: a bound of their max-information.

    $$I_\infty = R_\infty(p_{SA} \| p_S\, p_A) \le \varepsilon n, \qquad
    I_\infty^\beta \le \frac{\varepsilon^2 n}{2} + \varepsilon \sqrt{\frac{n \log(2/\beta)}{2}}$$

    in nats: what has probability δ when rows S and answers A are independent has at most $e^I \delta$ + β when the
    answers are those of S. The second bound is that for independent rows and β = `miss` > 0; the smaller one is given
    as `high`. Raises `InvalidInputError` for numbers out of range. Source: [dwork2015b].

    >>> max_information(0.01, n=100).high
    1.0
    """
    if not (0 <= epsilon < math.inf and n >= 1 and n == int(n) and 0 <= miss < 1):
        raise InvalidInputError(
            f"expected epsilon >= 0, a whole n >= 1 and 0 <= miss < 1, got {epsilon!r}, {n!r} and {miss!r}"
        )
    found = [(epsilon * n, "privacy")]
    if miss > 0:
        spread = epsilon * math.sqrt(0.5 * n * math.log(2 / miss))
        found.append((0.5 * epsilon**2 * n + spread, "privacy, independent rows"))
    high, method = min(found)
    return Answer(high, 0.0, high, level=1 - miss, kind="bounds", method=method, n=int(n))


def _numbers(found: Any) -> NDArray[np.float64]:
    x = np.asarray(found)
    if x.dtype.kind not in "fiub":
        raise DTypeError(f"the statistic gives {x.dtype}; expected a number or an array of numbers")
    x = x.astype(float)
    if not np.isfinite(x).all():
        raise InvalidInputError("the statistic is not finite; expected the mean of something in [0, 1]")
    return x
