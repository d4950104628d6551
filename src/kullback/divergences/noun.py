"""What every divergence is to its caller: a function of two arrays of masses, or of logits."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

from kullback._ops import Array, Namespace
from kullback.divergences import logits, simplex
from kullback.divergences.masses import masses
from kullback.errors import InvalidInputError


class Noun(ABC):
    r"""What tells two distributions apart: any $D(p, q) \ge 0$ with a name and a formula; `kb.between` takes each.

    A `Divergence` is one that masses alone decide. Those that also need to know where the categories lie, or densities
    that can be differentiated, are other nouns, with calls of their own. Source: [cover2006].

    >>> import kullback as kb
    >>> isinstance(kb.wasserstein(1), kb.Noun), isinstance(kb.wasserstein(1), kb.Divergence)
    (True, False)
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The name in the catalogue, with its parameter."""

    @property
    @abstractmethod
    def formula(self) -> str:
        """The definition, in LaTeX: f(t) for an f-divergence."""

    @property
    def unit(self) -> str:
        """What the values are counted in: `nats` for logarithms, which convert to bits; `""` for pure numbers."""
        return ""

    def __repr__(self) -> str:
        return self.name


class Divergence(Noun):
    r"""A divergence on arrays, $D(p \| q) \ge 0$ with equality at p = q, called on probabilities, counts or logits.

    `FDivergence` is the family that a convex generator defines; its relatives (Rényi, Bregman, Cauchy–Schwarz) answer
    the same calls and have no generator, so that a verb which needs one refuses them.

    >>> import kullback as kb
    >>> isinstance(kb.renyi(2), kb.FDivergence)
    False
    """

    @abstractmethod
    def _on_masses(self, xp: Namespace, *arrays: Array) -> Array:
        """The divergence over the last axis of p, q and the double-length totals to divide them by, if any."""

    @abstractmethod
    def _on_logits(self, a: Array, b: Array, xp: Namespace = None) -> Array:
        """The divergence of softmax(a) and softmax(b) over the last axis.

        `xp` is the arrays' own namespace, or one whose reductions reach classes that other processes have.
        """

    def __call__(
        self,
        p: Array | Mapping[Any, float],
        q: Array | Mapping[Any, float],
        *,
        axis: int = -1,
        keepdims: bool = False,
        normalize: bool = False,
        counts: bool = False,
        by_label: bool = False,
        missing: Literal["zero", "drop"] | None = None,
        base: float | None = None,
        validate: bool = True,
    ) -> Array:
        r"""The divergence of two probability vectors, $D(p \| q)$, in its `unit`.

        `p` and `q` have their categories along `axis`, whose lengths must agree; the other axes broadcast. Masses are
        used as they are given and must sum to 1; `normalize=True` divides by the sums, in double the precision of the
        elements; `counts=True` takes whole numbers, of which proportional ones give exactly 0. `by_label=True` takes
        mappings or Series and aligns them by label. `missing` says what a masked, null or NaN mass is: `"zero"`, or
        `"drop"` for leaving the category out of both. `base=2` turns nats into bits. `validate=False` skips the look at
        the values, which on an accelerator waits for the device; shapes and types are always checked.

        Returns an array of the inputs' library without `axis` (a float where nothing is left); +inf where the
        mathematics says so. Raises `InvalidInputError`, `ShapeError` or `DTypeError`, naming argument, place and
        remedy.

        >>> import kullback as kb
        >>> kb.js([1.0, 0.0], [0.0, 1.0], base=2)
        1.0
        """
        pair = masses(
            p,
            q,
            axis=axis,
            normalize=normalize,
            counts=counts,
            by_label=by_label,
            missing=missing,
            validate=validate,
        )
        xp = pair.xp
        with xp.quiet():
            total = self._on_masses(xp, *pair.arrays())
        return simplex.finish(xp, self._in_base(total, base), axis if keepdims else None)

    def of_logits(
        self,
        a: Array,
        b: Array,
        *,
        axis: int = -1,
        keepdims: bool = False,
        base: float | None = None,
        validate: bool = False,
    ) -> Array:
        r"""The divergence of two softmax distributions, $D(\mathrm{softmax}(a) \| \mathrm{softmax}(b))$, in its `unit`.

        `a` and `b` are unnormalised log-probabilities along `axis`; −inf takes a class out. Half precision is computed
        in float32. Gradients of any order reach both arguments in torch and JAX; where the value is +inf they are those
        of the finite part. A row that is −inf throughout has no distribution: its value is NaN and no other row's is
        touched; `validate=True` raises `InvalidInputError` instead, and on NaN or +inf.

        >>> import kullback as kb
        >>> kb.kl.of_logits([5.0, 5.0], [7.0, 7.0])
        0.0
        """
        xp, a, b = logits.read(a, b, axis=axis, validate=validate)
        with xp.quiet():
            return simplex.finish(xp, self._in_base(self._on_logits(a, b), base), axis if keepdims else None)

    def _in_base(self, value: Array, base: float | None) -> Array:
        """Nats into the unit of a logarithm of that base."""
        if base is None:
            return value
        if isinstance(base, bool) or not isinstance(base, (int, float)) or not 1 < base < math.inf:
            raise InvalidInputError(
                f"`base` is {base!r}; expected a number above 1, such as 2 for bits, or None for nats"
            )
        if self.unit != "nats":
            raise InvalidInputError(
                f"`base` is {base!r}, and {self.name} is {f'in {self.unit}' if self.unit else 'a pure number'}, not in "
                'nats: leave `base` out; of your own f, `unit="nats"` says that it is made of logarithms'
            )
        return value / math.log(base)
