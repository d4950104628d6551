"""The Cauchy–Schwarz bottleneck: divergence and dependence from kernels of a batch, without a law for the codes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kullback.errors import InvalidInputError, ShapeError
from kullback.losses.batches import NonFinite, averaged
from kullback.losses.bottleneck.checks import check_number, counted, rows


def median_width(x: Tensor, *, mask: Tensor | None = None) -> float:
    r"""The median distance of two rows of x (n, d), a width for kernels, in the unit of x and without a gradient.

    Raises `InvalidInputError` where fewer than two rows count, or more than half of all pairs coincide.
    Source: [gretton2012].

    >>> import torch
    >>> median_width(torch.tensor([[0.0], [1.0], [3.0]]))
    2.0
    """
    kept = counted(rows("x", x), mask).detach()
    if len(kept) < 2:
        raise InvalidInputError(f"{len(kept)} rows; a median distance needs at least 2")
    width = float(torch.pdist(kept).median())
    if not 0 < width < math.inf:
        raise InvalidInputError(
            f"the median distance of the rows is {width:g}; give the width of the kernel in the unit of the rows"
        )
    return width


def cauchy_schwarz(x: Tensor, y: Tensor, *, width: float | None = None) -> Tensor:
    r"""D_CS of the laws of two samples, each smoothed by a Gaussian kernel, in closed form.

    $$-\log \frac{\left(\int \hat p \hat q\right)^2}{\int \hat p^2 \int \hat q^2}
    = \log \overline{k(x_i, x_j)} + \log \overline{k(y_i, y_j)} - 2 \log \overline{k(x_i, y_j)},$$

    k of variance h² (each sample smoothed by h²/2), means over all pairs, a row with itself among them. `x` (n, d), `y`
    (m, d); `width` h, `None` for `median_width` of both samples. What it tells of the laws is their D_CS after the
    smoothing. Finite however far apart the samples are; in nats. Raises `ShapeError`, `DTypeError`,
    `InvalidInputError`. Source: [principe2010].

    >>> import torch
    >>> float(cauchy_schwarz(torch.zeros(1, 1), torch.full((1, 1), 3.0), width=1.0))  # 3²/(½ + ½)
    9.0
    """
    x, y = rows("x", x), rows("y", y)
    if x.shape[1] != y.shape[1]:
        raise ShapeError(f"`x` has {x.shape[1]} columns and `y` {y.shape[1]}; expected the same")
    h = _width("width", width, torch.cat([x, y]))
    xx, yy, xy = _log_kernel(x, x, h), _log_kernel(y, y, h), _log_kernel(x, y, h)
    return _log_mean(xx) + _log_mean(yy) - 2.0 * _log_mean(xy)


def cauchy_schwarz_information(
    x: Tensor,
    codes: Tensor,
    *,
    width: float | None = None,
    code_width: float | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    r"""D_CS(joint law‖product of the margins) of inputs and codes, smoothed by Gaussian kernels.

    $$\log \frac1{n^2} \sum_{ij} K_{ij} L_{ij} + \log \frac1{n^4} \sum_{ij} K_{ij} \sum_{ij} L_{ij}
    - 2 \log \frac1{n^3} \sum_{ijk} K_{ij} L_{ik}$$

    `x` (n, d) with the kernel matrix K, `codes` (n, c) with L; widths are in the unit of each, `None` for
    `median_width`, which makes it blind to the codes' scale. In nats, ≥ 0 up to rounding. Examples outside `mask` are
    left out. Errors as in `cauchy_schwarz`. Source: [yu2024], [principe2010].

    >>> import torch
    >>> far = torch.tensor([[0.0], [1000.0]])
    >>> round(float(cauchy_schwarz_information(far, far, width=1.0, code_width=1.0)), 6)  # ½ against ¼ and ¼
    0.693147
    """
    x, codes = rows("x", x), rows("codes", codes, n=len(x))
    x, codes = counted(x, mask), counted(codes, mask)
    if len(x) == 0:
        return (x.sum() + codes.sum()) * 0.0
    k = _log_kernel(x, x, _width("width", width, x))
    m = _log_kernel(codes, codes, _width("code_width", code_width, codes))
    product = (k.logsumexp(1) + m.logsumexp(1)).logsumexp(0) - 3.0 * math.log(len(x))
    return _log_mean(k + m) + _log_mean(k) + _log_mean(m) - 2.0 * product


def conditional_cauchy_schwarz(
    x: Tensor,
    target: Tensor,
    prediction: Tensor,
    *,
    width: float | None = None,
    target_width: float | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    r"""D_CS(law of the target given x‖law of the prediction given x), smoothed by Gaussian kernels: a regression loss.

    $$\log \langle y, y \rangle + \log \langle \hat y, \hat y \rangle - 2 \log \langle y, \hat y \rangle, \qquad
    \langle a, b \rangle = \sum_{ij} \frac{K_{ij}}{S_i S_j}\, l(a_i, b_j), \qquad S_i = \sum_j K_{ij}$$

    K compares the rows of `x` (n, d) and l those of `target` and `prediction` (n, c), with `target_width` for all three
    products. S estimates p(x): a product of sums of kernels, not a sum of their squares, and one for either row where
    the paper has the square of one, so that ⟨ , ⟩ is an inner product. Then the loss is ≥ 0 on every batch, symmetric,
    and 0 where the prediction is the target. Regions of x count by their extent and not by their mass: far inputs weigh
    much. In nats; other arguments and errors as in `cauchy_schwarz_information`.
    Source: [yu2024].

    >>> import torch
    >>> x, y = torch.tensor([[0.0], [1000.0]]), torch.tensor([[0.0], [1.0]])
    >>> float(conditional_cauchy_schwarz(x, y, y + 2.0, width=1.0, target_width=1.0))  # 2² at every x
    4.0
    """
    x = rows("x", x)
    target, prediction = rows("target", target, n=len(x)), rows("prediction", prediction, n=len(x))
    if target.shape != prediction.shape:
        raise ShapeError(
            f"`target` has shape {tuple(target.shape)} and `prediction` {tuple(prediction.shape)}; expected the same"
        )
    x, target, prediction = (counted(part, mask) for part in (x, target, prediction))
    if len(x) == 0:
        return (x.sum() + prediction.sum()) * 0.0
    k = _log_kernel(x, x, _width("width", width, x))
    h = _width("target_width", target_width, target)
    masses = k.logsumexp(1)
    among = k - masses[:, None] - masses[None]

    def overlap(a: Tensor, b: Tensor) -> Tensor:
        return (among + _log_kernel(a, b, h)).logsumexp((0, 1))

    own = overlap(target, target) + overlap(prediction, prediction)
    return own - 2.0 * overlap(target, prediction)


def cauchy_schwarz_bottleneck(
    x: Tensor,
    codes: Tensor,
    target: Tensor,
    prediction: Tensor,
    *,
    price: float,
    width: float | None = None,
    code_width: float | None = None,
    target_width: float | None = None,
    mask: Tensor | None = None,
    nonfinite: NonFinite = "propagate",
) -> Tensor:
    r"""The Cauchy–Schwarz bottleneck for regression: what the prediction misses plus a price on what the codes tell.

    $$D_{CS}\!\left(p(y|x) \,\|\, p(\hat y|x)\right)
    + \text{price} \cdot D_{CS}\!\left(p(x, t) \,\|\, p(x)\, p(t)\right)$$

    The sum of `conditional_cauchy_schwarz` and `price` times `cauchy_schwarz_information`, on one batch. One example
    that is not finite spoils the kernels of all others: with `nonfinite="skip"` such examples are left out, with a
    warning that counts them, and with `"raise"` they raise `InvalidInputError`. Source: [yu2024].

    >>> import torch
    >>> x = torch.tensor([[0.0], [1000.0]])
    >>> y = torch.tensor([[0.0], [1.0]])
    >>> widths = {"width": 1.0, "code_width": 1.0, "target_width": 1.0}
    >>> round(float(cauchy_schwarz_bottleneck(x, x, y, y + 2.0, price=1.0, **widths)), 6)  # 4 + log 2
    4.693147
    """
    check_number("price", price, zero=True)
    parts = [rows("x", x)]
    for name, part in (("codes", codes), ("target", target), ("prediction", prediction)):
        parts.append(rows(name, part, n=len(x)))

    def terms(x: Tensor, codes: Tensor, target: Tensor, prediction: Tensor) -> Tensor:
        marks = torch.cat([x, codes, target, prediction], dim=1).mul(0.0).sum(1)
        if bool(marks.isnan().any()):  # told apart before a kernel mixes them with the others
            return marks
        missed = conditional_cauchy_schwarz(x, target, prediction, width=width, target_width=target_width)
        told = cauchy_schwarz_information(x, codes, width=width, code_width=code_width)
        return (missed + price * told).expand(len(x))

    return averaged(terms, *parts, mask=mask, nonfinite=nonfinite)


def _width(name: str, width: float | None, x: Tensor) -> float:
    if width is None:
        return median_width(x)
    check_number(name, width)
    return width


def _log_kernel(x: Tensor, y: Tensor, width: float) -> Tensor:
    """Logarithms of a Gaussian kernel of variance h² up to its constant, (n, m)."""
    return (x[:, None] - y[None]).square().sum(-1) * (-0.5 / width**2)


def _log_mean(logs: Tensor) -> Tensor:
    return logs.logsumexp((0, 1)) - math.log(logs.numel())
