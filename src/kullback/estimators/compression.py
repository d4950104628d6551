"""Many columns made few before their information is estimated: what is lost of it can only make the answer smaller."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from kullback.errors import DTypeError, InvalidInputError, MissingDependencyError
from kullback.estimators.critics.settings import Training
from kullback.estimators.problem import JointSample
from kullback.estimators.samples import Sample
from kullback.wording import several

Floats = NDArray[np.float64]
_PROCESSING = (
    "by the data-processing inequality I(c(X); c(Y)) <= I(X; Y): the answer is about the compressed variables"
)


class Compressor(ABC):
    """A map of a variable's continuous columns to fewer; its discrete columns stay."""

    @abstractmethod
    def codes(self, values: Floats, weights: Floats | None, rng: np.random.Generator) -> tuple[Floats, str]:
        """The few columns of each row, and what was kept, in words."""


Compress = Compressor | tuple[Compressor | None, Compressor | None] | None


@dataclass(frozen=True)
class PrincipalComponents(Compressor):
    r"""The `components` directions of the largest variance, or as many as hold a `share` of it.

    $$c(x) = V^\top (x - \bar x), \qquad V \text{ the leading eigenvectors of the covariance}$$

    The columns are not standardised. Nothing is lost where the others are noise that the partner knows nothing of;
    variance is not information, so a small but telling direction is lost too. Give one of the two: `components` at
    least 1 or `share` in (0, 1]. Raises `InvalidInputError` for anything else, and where there are fewer columns than
    components. Source: [jolliffe2002].

    >>> import numpy as np
    >>> line = np.outer(np.arange(4.0), [3.0, 4.0])
    >>> PrincipalComponents(components=1).codes(line, None, np.random.default_rng(0))[0][:, 0].round(9).tolist()
    [-7.5, -2.5, 2.5, 7.5]
    """

    components: int | None = None
    share: float | None = None

    def __post_init__(self) -> None:
        if (self.components is None) == (self.share is None):
            raise InvalidInputError(
                "give either `components` or `share`, such as PrincipalComponents(components=4)"
            )
        if self.components is not None and self.components < 1:
            raise InvalidInputError(f"`components` must be at least 1, got {self.components}")
        if self.share is not None and not 0 < self.share <= 1:
            raise InvalidInputError(f"`share` must lie in (0, 1], got {self.share}")

    def codes(self, values: Floats, weights: Floats | None, rng: np.random.Generator) -> tuple[Floats, str]:  # noqa: ARG002  (nothing is drawn)
        """The components of each row, and the share of the variance in them."""
        w = np.full(len(values), 1 / len(values)) if weights is None else weights / weights.sum()
        centred = values - w @ values
        _, sizes, directions = np.linalg.svd(np.sqrt(w)[:, None] * centred, full_matrices=False)
        variance = sizes**2
        if not variance.sum() > 0:
            raise InvalidInputError("every row is the same: there is no direction of variance to compress to")
        shares = np.cumsum(variance) / variance.sum()
        count = self.components or min(1 + int(np.sum(shares < self.share)), len(shares))
        if count > len(shares):
            raise InvalidInputError(
                f"{several(count, 'component')} of {several(values.shape[1], 'column')} and "
                f"{several(len(values), 'row')}: there are at most {len(shares)}; where x and y differ, give a pair, "
                f"such as compress=(PrincipalComponents({len(shares)}), None)"
            )
        kept = directions[:count]
        # an eigenvector's sign is anyone's choice: the largest entry is made positive
        signs = np.sign(kept[np.arange(count), np.argmax(np.abs(kept), axis=1)])
        told = f"{count} principal components with {100 * shares[count - 1]:.4g} % of the variance"
        return centred @ (signs[:, None] * kept).T, told


@dataclass(frozen=True)
class Autoencoder(Compressor):
    r"""The narrow layer of a network that is trained to give back what it is given.

    $$c = g, \qquad (g, h) = \arg\min\; E\, \lVert x - h(g(x)) \rVert^2, \qquad g: R^d \to R^{\text{components}}$$

    For what lies on a curved surface, where lines need more columns. The share of the variance that comes back is told
    for rows that were not trained on. `hidden` widths for g, reversed for h; `training` as of critics (its folds and
    partners do not count). Needs torch; refuses weights. Raises `InvalidInputError` for sizes below 1. Source:
    [hinton2006].

    >>> Autoencoder(components=2).components
    2
    """

    components: int
    hidden: tuple[int, ...] = (128, 64)
    training: Training = field(default_factory=lambda: Training(steps=2000, learning_rate=2e-3))

    def __post_init__(self) -> None:
        if min((self.components, *self.hidden)) < 1:
            raise InvalidInputError(
                f"`components` and `hidden` must be at least 1, got {self.components} and {self.hidden}"
            )

    def codes(self, values: Floats, weights: Floats | None, rng: np.random.Generator) -> tuple[Floats, str]:
        """The narrow layer's values, and how much of the variance comes back from them."""
        if weights is not None:
            raise InvalidInputError("Autoencoder takes no weights; PrincipalComponents does")
        if find_spec("torch") is None:
            raise MissingDependencyError("Autoencoder needs torch: pip install 'kullback[torch]'")
        from kullback.estimators.neural.autoencoder import train

        found, share = train(values, self.components, self.hidden, self.training, rng)
        return found, f"{self.components} codes, from which {100 * share:.4g} % of the variance comes back"


def compressed(problem: JointSample, compress: Compress) -> tuple[JointSample, tuple[str, ...]]:
    """The same question about compressed variables, with notes of what was kept."""
    if compress is None:
        return problem, ()
    both = compress if isinstance(compress, tuple) else (compress, compress)
    if len(both) != 2 or not all(c is None or isinstance(c, Compressor) for c in both):
        raise DTypeError(
            f"compress is {compress!r}; expected a compressor such as PrincipalComponents(components=4), "
            "or a pair of them for x and y, None for what stays"
        )
    x, of_x = _smaller(problem.x, both[0], problem, 2)
    y, of_y = _smaller(problem.y, both[1], problem, 3)
    return replace(problem, x=x, y=y), (*of_x, *of_y, _PROCESSING)


def _smaller(
    s: Sample, compressor: Compressor | None, problem: JointSample, stream: int
) -> tuple[Sample, tuple[str, ...]]:
    if compressor is None:
        return s, ()
    if not s.dimension:
        raise InvalidInputError(f"`{s.name}` has no continuous column to compress; give None in its place")
    # draws of its own, so that the method's do not change with the compression of the other variable
    rng = np.random.default_rng([problem.seed, stream])
    values, told = compressor.codes(s.values, problem.weights, rng)
    return replace(s, values=np.ascontiguousarray(values), shift=None), (
        f"`{s.name}`: {several(s.dimension, 'column')} compressed to {told}",
    )
