"""Estimators of KL(policy‖reference) from drawn tokens: every expectation is a sum over a small vocabulary."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import torch
from torch import Tensor

import kullback as kb
from kullback.errors import InvalidInputError, ShapeError
from kullback.exact import Estimator, fixed, k1, k2, k3, regressed
from kullback.losses import kl_in_loss, kl_in_reward, sampled_kl, selected

CLASSES = 5
UNBIASED = (k1, k3, fixed(0.4), regressed)
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]  # of log policy, log ratio and log draws


def logits(seed: int, *shape: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64).requires_grad_()


def policy_kl(z: Tensor, y: Tensor) -> Tensor:
    p, q = torch.softmax(z, -1), torch.softmax(y, -1)
    return (p * (p / q).log()).sum()


def gradient(x: Tensor, *of: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(x, of, retain_graph=True, materialize_grads=True)


class Enumerated:
    """Every token of the vocabulary once, with the probability that it is drawn."""

    def __init__(self, *, off_policy: bool = False) -> None:
        self.z, self.y = logits(1, CLASSES), logits(2, CLASSES)
        drawn = logits(3, CLASSES) if off_policy else self.z
        self.log_drawn = torch.log_softmax(drawn.detach(), -1)
        rows = [x.expand(CLASSES, CLASSES) for x in (self.z, self.y)]
        made = selected(rows[0], torch.arange(CLASSES), reference=rows[1])
        assert made.log_ratio is not None
        self.log_probs, self.log_ratio = made.log_probs, made.log_ratio

    def mean(self, terms: Tensor) -> Tensor:
        """The expectation over the draws, which are not differentiated."""
        return (self.log_drawn.exp() * terms).sum()

    @property
    def log_weights(self) -> Tensor:
        return self.log_probs - self.log_drawn


@pytest.mark.parametrize("off_policy", [False, True], ids=["on policy", "off policy"])
@pytest.mark.parametrize("estimator", UNBIASED, ids=repr)
def test_sampled_kl_has_value_and_gradient_of_one_divergence(estimator: Estimator, off_policy: bool) -> None:
    every = Enumerated(off_policy=off_policy)
    terms = sampled_kl(estimator, every.log_probs, every.log_ratio, drawn_with=every.log_drawn)
    wanted = policy_kl(every.z, every.y)
    torch.testing.assert_close(every.mean(terms), wanted, rtol=1e-13, atol=0)
    made, true = (gradient(x, every.z, every.y) for x in (every.mean(terms), wanted))
    torch.testing.assert_close(made, true, rtol=1e-12, atol=1e-15)


def test_on_policy_needs_no_word_about_the_draws() -> None:
    every = Enumerated()
    terms = sampled_kl(k3, every.log_probs, every.log_ratio)
    torch.testing.assert_close(
        terms, sampled_kl(k3, every.log_probs, every.log_ratio, drawn_with=every.log_drawn)
    )
    made, true = (gradient(x, every.z) for x in (every.mean(terms), policy_kl(every.z, every.y)))
    torch.testing.assert_close(made, true, rtol=1e-12, atol=1e-15)


CLAIMS: dict[Estimator, tuple[float, float]] = {  # multiples of ∇KL(policy‖reference), ∇KL(reference‖policy)
    k1: (0.0, 0.0),
    k2: (1.0, 0.0),
    k3: (0.0, 1.0),
    fixed(0.4): (0.0, 0.6),
    fixed(-1.5): (0.0, 2.5),
}


@pytest.mark.parametrize("off_policy", [False, True], ids=["on policy", "off policy"])
@pytest.mark.parametrize("estimator", CLAIMS, ids=repr)
def test_kl_in_loss_has_the_gradient_that_its_table_says(estimator: Estimator, off_policy: bool) -> None:
    every = Enumerated(off_policy=off_policy)
    terms = kl_in_loss(estimator, every.log_ratio, log_weights=every.log_weights if off_policy else None)
    (made,) = gradient(every.mean(terms), every.z)
    of_policy, of_reference = policy_kl(every.z, every.y), policy_kl(every.y, every.z)
    first, second = CLAIMS[estimator]
    (true,) = gradient(first * of_policy + second * of_reference, every.z)
    torch.testing.assert_close(made, true, rtol=1e-12, atol=1e-14)
    if estimator != k2:
        torch.testing.assert_close(every.mean(terms), of_policy, rtol=1e-13, atol=0)


def test_kl_in_loss_towards_the_reference() -> None:
    """Of k1 and k3 that of KL(policy‖reference): the draws do not depend on the reference."""
    every = Enumerated()
    (true,) = gradient(policy_kl(every.z, every.y), every.y)
    for estimator in (k1, k3):
        (made,) = gradient(every.mean(kl_in_loss(estimator, every.log_ratio)), every.y)
        torch.testing.assert_close(made, true, rtol=1e-12, atol=1e-14)


def test_as_a_reward_k1_has_the_gradient_and_k3_has_not() -> None:
    every = Enumerated()
    of_policy, of_reference = policy_kl(every.z, every.y), policy_kl(every.y, every.z)
    (made,) = gradient(every.mean(kl_in_reward(every.log_ratio) * every.log_probs), every.z)
    torch.testing.assert_close(made, gradient(of_policy, every.z)[0], rtol=1e-12, atol=1e-14)
    third = kl_in_loss(k3, every.log_ratio).detach()
    (wrong,) = gradient(every.mean(third * every.log_probs), every.z)
    torch.testing.assert_close(wrong, gradient(of_policy - of_reference, every.z)[0], rtol=1e-12, atol=1e-14)


class TwoTokens:
    """All sequences of two tokens of three, the second drawn given the first."""

    def __init__(self) -> None:
        self.z, self.y = (logits(4, 3), logits(5, 3, 3)), (logits(6, 3), logits(7, 3, 3))
        self.log_p, self.log_q = self.logs(*self.z), self.logs(*self.y)

    @staticmethod
    def logs(first: Tensor, second: Tensor) -> Tensor:
        """Shape (sequences, 2)."""
        a, b = torch.log_softmax(first, -1), torch.log_softmax(second, -1)
        return torch.stack([torch.stack([a[i], b[i, j]]) for i, j in itertools.product(range(3), repeat=2)])

    def kl(self) -> Tensor:
        whole = self.log_p.sum(-1)
        return (whole.exp() * (whole - self.log_q.sum(-1))).sum()

    def mean(self, terms: Tensor) -> Tensor:
        return (self.log_p.sum(-1).exp().detach() * terms).sum()


def test_rewards_to_go_have_the_gradient_of_whole_sequences() -> None:
    both = TwoTokens()
    penalty = kl_in_reward(both.log_p - both.log_q)
    to_go = penalty.flip(-1).cumsum(-1).flip(-1)
    made = gradient(both.mean((both.log_p * to_go).sum(-1)), *both.z)
    torch.testing.assert_close(made, gradient(both.kl(), *both.z), rtol=1e-12, atol=1e-14)


def test_a_loss_of_tokens_does_not_see_what_they_lead_to() -> None:
    """The gradient of sampled_kl is that of each token's own law; summed over sequences first, that of the whole."""
    both = TwoTokens()
    ratio = both.log_p - both.log_q
    true = gradient(both.kl(), *both.z)
    whole = gradient(both.mean(sampled_kl(k3, both.log_p.sum(-1), ratio.sum(-1))), *both.z)
    torch.testing.assert_close(whole, true, rtol=1e-12, atol=1e-14)
    tokens = gradient(both.mean(sampled_kl(k3, both.log_p, ratio).sum(-1)), *both.z)
    torch.testing.assert_close(tokens[1], true[1], rtol=1e-12, atol=1e-14)
    assert float((tokens[0] - true[0]).norm()) > 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("size", [1e-4, -1e-4, 0.9, 1.1, -1.1, 5.0, -20.0])
def test_terms_keep_their_digits(size: float, dtype: torch.dtype) -> None:
    """k3 at 1e-4 is 5e-9, of which eʳ − 1 − r would leave a digit in single precision."""
    r = torch.tensor([size], dtype=dtype)
    for estimator, c in ((k3, 0.0), (fixed(0.4), 0.4)):
        with mpmath.workdps(40):
            s = -mpmath.mpf(r.item())
            true = float(mpmath.expm1(s) - s - c * mpmath.expm1(s))
        got = kl_in_loss(estimator, r).item()
        assert got == pytest.approx(true, rel=1e-6 if dtype == torch.float32 else 1e-14)
    assert kl_in_loss(k1, r).item() == r.item()


@pytest.mark.parametrize("estimator", [k3, fixed(0.4), fixed(1.0), fixed(2.0)], ids=repr)
def test_far_tokens_stay_finite_and_are_counted(estimator: Estimator) -> None:
    """log t = 200 in single precision: the tangent at 40, by value and by gradient; in double, the number itself."""
    r = torch.tensor([-200.0, 0.5, -39.0], requires_grad=True)
    with pytest.warns(RuntimeWarning, match=r"1 of 3 tokens are e\^40 times likelier under the reference"):
        terms = kl_in_loss(estimator, r)
    (slope,) = gradient(terms.sum(), r)
    assert bool(torch.isfinite(terms).all())
    c = getattr(estimator, "coefficient", 0.0)
    steep = (1 - c) * math.exp(40) - 1
    assert slope[0].item() == pytest.approx(-steep, rel=1e-6)
    assert terms[0].item() == pytest.approx((1 - c) * math.expm1(40) - 40 + 160 * steep, rel=1e-6)
    double = kl_in_loss(estimator, torch.tensor([-200.0], dtype=torch.float64))
    assert double.item() == pytest.approx((1 - c) * math.expm1(200) - 200, rel=1e-14)


def test_infinite_ratios() -> None:
    """A token without mass in the reference: +inf, and no NaN in a gradient; one masked in both stays undefined."""
    r = torch.tensor([math.inf, 1.0], requires_grad=True)
    for estimator in (k1, k2, k3, fixed(0.4)):
        terms = kl_in_loss(estimator, r)
        assert terms[0].item() == math.inf
    (slope,) = gradient(kl_in_loss(k3, r).sum(), r)
    assert slope.isfinite().all()


def test_regressed_is_the_line_of_the_library() -> None:
    """The mean of its terms is the regression that `kb.sampled` corrects by a jackknife of order 1/n."""
    rng = np.random.default_rng(0)
    z, y = torch.tensor(rng.normal(size=(2, 4000, 30)))
    y = z + 0.3 * y
    ids = torch.tensor([rng.choice(30, p=p) for p in torch.softmax(z, -1).numpy()])
    made = selected(z, ids, reference=y, d=kb.kl)
    assert made.log_ratio is not None
    assert made.reference_log_probs is not None
    assert made.divergence is not None
    terms = kl_in_loss(regressed, made.log_ratio)
    other = kb.sampled(kb.kl, made.log_probs, made.reference_log_probs, drawn_from="p", estimator=regressed)
    assert float(terms.mean()) == pytest.approx(other.value, rel=1e-3)
    assert abs(float((terms - made.divergence).mean())) < 4 * float(terms.std()) / len(terms) ** 0.5
    spread = {e: float(kl_in_loss(e, made.log_ratio).std()) for e in (k1, k3, regressed)}
    assert spread[regressed] <= min(spread[k1], spread[k3])


def test_regressed_without_ratios_that_average_to_one() -> None:
    """Tokens that the reference never draws: no line is fitted through them, k1 or k3 stands as it is."""
    r = torch.linspace(1.0, 3.0, 50, dtype=torch.float64)
    terms = kl_in_loss(regressed, r)
    assert any(torch.allclose(terms, kl_in_loss(e, r)) for e in (k1, k3))


def test_a_masked_token_adds_nothing() -> None:
    z, y = logits(8, 2, 3, CLASSES), logits(9, 2, 3, CLASSES)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    made = selected(z, torch.zeros(2, 3, dtype=torch.long), reference=y, mask=mask)
    assert made.log_ratio is not None
    for estimator in (k1, k2, k3):
        assert kl_in_loss(estimator, made.log_ratio)[~mask].tolist() == [0.0] * 3


def test_refusals() -> None:
    x = torch.zeros(4)
    with pytest.raises(InvalidInputError, match="k2 is biased; kl_in_loss"):
        sampled_kl(k2, x, x)
    with pytest.raises(ShapeError, match=r"`log_probs` has shape \(3,\) and `log_ratio` \(4,\)"):
        sampled_kl(k1, x[:3], x)
    with pytest.raises(ShapeError, match="`drawn_with`"):
        sampled_kl(k1, x, x, drawn_with=x[:3])
    with pytest.raises(ShapeError, match="`log_weights`"):
        kl_in_loss(k1, x, log_weights=x[:3])
    with pytest.raises(InvalidInputError, match="there are 2"):
        kl_in_loss(regressed, x[:2])
    with pytest.raises(InvalidInputError, match="no terms of one token"):
        kl_in_loss("k3", x)  # type: ignore[arg-type]
