"""What a neural critic looks like and how it is trained: settings only, no network is made here."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real

from kullback.errors import InvalidInputError


@dataclass(frozen=True)
class Joint:
    r"""A critic of the pair, $T(x, y) = h(A x + B y)$ with a network h of `hidden` widths.

    It fits what a product of features cannot, and costs one pass of h a pair. Raises `InvalidInputError` for widths
    below 1. Source: [belghazi2018].

    >>> len(Joint(hidden=(32, 32)).hidden)
    2
    """

    hidden: tuple[int, ...] = (64, 64)

    def __post_init__(self) -> None:
        _widths(self.hidden)


@dataclass(frozen=True)
class Separable:
    r"""A critic of two halves, $T(x, y) = \langle g(x), h(y) \rangle / \sqrt{k}$.

    g and h are networks of `hidden` widths with k `features` each. n² pairs cost n passes, so that it sees more pairs
    in the time; k bounds the rank of what it fits. Raises `InvalidInputError` for widths below 1. Source: [oord2018].

    >>> Separable().features
    32
    """

    hidden: tuple[int, ...] = (128, 128)
    features: int = 32

    def __post_init__(self) -> None:
        _widths((*self.hidden, self.features))


@dataclass(frozen=True)
class Lipschitz:
    r"""A critic of the pair that never grows faster than it moves, $|T(x, y) - T(x', y')| \le \|(x, y) - (x', y')\|$.

    Layers of norm at most 1 with sorted pairs of entries between them, so that `hidden` widths are even. Raises
    `InvalidInputError` for odd widths. Source: [anil2019].

    >>> Lipschitz(hidden=(32, 32)).hidden
    (32, 32)
    """

    hidden: tuple[int, ...] = (64, 64)

    def __post_init__(self) -> None:
        if not self.hidden or any(width < 2 or width % 2 for width in self.hidden):
            raise InvalidInputError(
                f"`hidden` widths must be even numbers, their entries are sorted in pairs; got {self.hidden}"
            )


Architecture = Joint | Separable | Lipschitz


@dataclass(frozen=True)
class Training:
    r"""How a critic is trained: Adam on batches, stopped on rows that it was not trained on.

    $$\eta_t = \frac{\eta}{2} \Big(1 + \cos \frac{\pi t}{\text{steps}}\Big), \qquad \eta = \texttt{learning\_rate}$$

    The rows are split into `folds`; each is judged by a critic that saw none of it. Of the other rows, the share
    `watched` decides when to stop: after `patience` steps without gain, or `steps` in all. For the product of the
    margins a `Joint` critic sees `partners` other rows of the batch for each row, a `Separable` one all of them. Raises
    `InvalidInputError` for values out of range. Source: [kingma2015].

    >>> Training(folds=3).folds
    3
    """

    batch: int = 256
    steps: int = 1000
    patience: int = 250
    learning_rate: float = 4e-3
    weight_decay: float = 1e-4
    folds: int = 2
    watched: float = 0.15
    partners: int = 8

    def __post_init__(self) -> None:
        for name, least in (("batch", 2), ("steps", 1), ("patience", 1), ("folds", 2), ("partners", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
                raise InvalidInputError(f"`{name}` must be an integer of at least {least}, got {value!r}")
        for name in ("learning_rate", "weight_decay", "watched"):
            if not isinstance(getattr(self, name), Real):
                raise InvalidInputError(f"`{name}` must be a number, got {getattr(self, name)!r}")
        if not self.learning_rate > 0 or not self.weight_decay >= 0:
            raise InvalidInputError(
                "`learning_rate` must be above 0 and `weight_decay` at least 0, "
                f"got {self.learning_rate} and {self.weight_decay}"
            )
        if not 0 < self.watched < 1:
            raise InvalidInputError(f"`watched` must lie between 0 and 1, got {self.watched}")


def _widths(widths: tuple[int, ...]) -> None:
    if not widths or min(widths) < 1:
        raise InvalidInputError(f"the widths of a critic's layers must be at least 1, got {widths}")
