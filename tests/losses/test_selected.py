"""Log-probabilities of chosen classes, entropy and divergence in one pass, against float64 autograd of definitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import mpmath
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import kullback as kb
from kullback import Divergence, Engine, Head
from kullback.errors import DTypeError, InvalidInputError, ShapeError
from kullback.losses import Selected, selected
from losses.definitions import gradients, leaves, relative, truth, wide

NOUNS = (None, kb.kl, kb.reverse_kl, kb.js, kb.alpha(0.5), kb.total_variation, kb.pearson_chi2, kb.renyi(2))
LEAD, CLASSES, ROWS = (2, 5), 23, 10
EACH = ("log_probs", "entropy", "reference_log_probs", "log_ratio", "divergence")

every = pytest.mark.parametrize("d", NOUNS, ids=repr)


def drawn(seed: int, *shape: int, spread: float = 1.0, dtype: torch.dtype = torch.float64) -> Tensor:
    return spread * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def choices(seed: int, *shape: int, classes: int = CLASSES) -> Tensor:
    return torch.randint(classes, shape, generator=torch.Generator().manual_seed(seed))


def defined(z: Tensor, ids: Tensor, y: Tensor | None = None, d: Divergence | None = None) -> list[Tensor]:
    """The five numbers as written in textbooks, in float64, every logit finite."""
    log_p = torch.log_softmax(z.double(), -1)
    a = log_p.gather(-1, ids[..., None])[..., 0]
    found = [a, -(log_p.exp() * log_p).sum(-1)]
    if y is not None:
        b = torch.log_softmax(y.double(), -1).gather(-1, ids[..., None])[..., 0]
        found += [b, a - b]
    return found if d is None or y is None else [*found, truth(d, y, z)]


def weighted(values: Sequence[Tensor | None]) -> Tensor:
    """A sum with an arbitrary weight for every token of every number."""
    there = [x for x in values if x is not None]
    total = torch.zeros((), dtype=there[0].dtype)
    for seed, x in enumerate(there):
        total = total + (x * drawn(100 + seed, *x.shape).to(x.dtype)).sum()
    return total


def agree(made: Selected, true: list[Tensor], mine: list[Tensor], leaf: list[Tensor], within: float) -> None:
    got = [x for x in made if x is not None]
    for x, y in zip(got, true, strict=True):
        torch.testing.assert_close(x.double(), y, rtol=within, atol=within)
    pairs = zip(gradients(weighted(got), mine), gradients(weighted(true), leaf), strict=True)
    for number, (x, y) in enumerate(pairs):
        assert relative(x, y) <= within, number


def heads(seed: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Hidden states, weight and bias of a policy, then of a narrower reference."""
    return [
        drawn(seed + i, *shape).to(dtype)
        for i, shape in enumerate(
            [(*LEAD, 6), (CLASSES, 6), (CLASSES,), (*LEAD, 4), (CLASSES, 4), (CLASSES,)]
        )
    ]


@every
@pytest.mark.parametrize(("dtype", "within"), [(torch.float64, 1e-12), (torch.float32, 2e-6)], ids=str)
def test_logits(d: Divergence | None, dtype: torch.dtype, within: float) -> None:
    ids, sides = choices(0, *LEAD), [drawn(s, *LEAD, CLASSES).to(dtype) for s in (1, 2)]
    mine, true = leaves(*sides), wide(*sides)
    made = selected(mine[0], ids, reference=mine[1], d=d)
    agree(made, defined(true[0], ids, true[1], d), mine, true, within)


@every
@pytest.mark.parametrize("memory", [None, 1, 3 * 2 * 8 * CLASSES], ids=["default", "a row", "3 rows"])
def test_heads_in_chunks(d: Divergence | None, memory: int | None) -> None:
    ids, tensors = choices(3, *LEAD), heads(10)
    mine, true = leaves(*tensors), leaves(*tensors)
    made = selected(
        Head(mine[0], mine[1], mine[2], scale=0.5, softcap=4.0),
        ids,
        reference=Head(mine[3], mine[4], mine[5]),
        d=d,
        temperature=0.7,
        engine=Engine(memory=memory),
    )
    z, y = 0.5 * (true[0] @ true[1].T + true[2]), true[3] @ true[4].T + true[5]
    agree(made, defined(4.0 * (z / 4.0).tanh() / 0.7, ids, y / 0.7, d), mine, true, 1e-11)


def test_without_a_reference() -> None:
    ids, tensors = choices(4, *LEAD), heads(20)[:3]
    mine, true = leaves(*tensors), leaves(*tensors)
    made = selected(Head(mine[0], mine[1], mine[2]), ids)
    assert made[2:] == (None, None, None)
    agree(made, defined(true[0] @ true[1].T + true[2], ids), mine, true, 1e-12)


@pytest.mark.parametrize("which", range(5), ids=EACH)
def test_each_number_alone(which: int) -> None:
    """The backward pass gets None for the others, and makes only what it needs."""
    ids, tensors = choices(5, *LEAD), heads(30)
    mine, true = leaves(*tensors), leaves(*tensors)
    policy, reference = Head(mine[0], mine[1], mine[2]), Head(mine[3], mine[4], mine[5])
    made = selected(policy, ids, reference=reference, d=kb.kl)[which]
    z, y = true[0] @ true[1].T + true[2], true[3] @ true[4].T + true[5]
    wanted = defined(z, ids, y, kb.kl)[which]
    assert made is not None
    for x, w in zip(gradients(weighted([made]), mine), gradients(weighted([wanted]), true), strict=True):
        torch.testing.assert_close(x, w, rtol=1e-11, atol=1e-13)


def test_bfloat16_is_computed_in_single_precision() -> None:
    ids, sides = choices(6, *LEAD), [drawn(s, *LEAD, CLASSES).bfloat16() for s in (7, 8)]
    mine, true = leaves(*sides), wide(*sides)
    made = selected(mine[0], ids, reference=mine[1], d=kb.js)
    assert made.log_probs.dtype == torch.float32
    agree(made, defined(true[0], ids, true[1], kb.js), mine, true, 2.0**-8)
    values = [x.double() for x in made if x is not None]
    torch.testing.assert_close(values, defined(true[0], ids, true[1], kb.js), rtol=1e-6, atol=1e-6)


def test_a_bfloat16_head_gets_its_gradients() -> None:
    ids, tensors = choices(9, *LEAD), [x.bfloat16() for x in heads(40)]
    mine, true = leaves(*tensors), wide(*tensors)
    made = selected(Head(mine[0], mine[1]), ids, reference=Head(mine[3], mine[4]), d=kb.kl)
    z, y = true[0] @ true[1].T, true[3] @ true[4].T
    agree_loosely = zip(
        gradients(weighted(made), [mine[i] for i in (0, 1, 3, 4)]),
        gradients(weighted(defined(z, ids, y, kb.kl)), [true[i] for i in (0, 1, 3, 4)]),
        strict=True,
    )
    for x, y in agree_loosely:
        assert x.dtype == torch.bfloat16
        assert relative(x, y) < 0.02


def test_autocast_halves_the_matrix_products_only() -> None:
    ids, tensors = choices(9, *LEAD), [x.float() for x in heads(40)]
    mine, true = leaves(*tensors), wide(*(x.bfloat16() for x in tensors))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = selected(Head(mine[0], mine[1]), ids, reference=Head(mine[3], mine[4]), d=kb.kl)
    z, y = (true[0] @ true[1].T).bfloat16(), (true[3] @ true[4].T).bfloat16()
    for x, w in zip(made, defined(z, ids, y, kb.kl), strict=True):
        assert x is not None
        assert x.dtype == torch.float32
        assert relative(x, w) < 2e-2
    gradient, *_ = gradients(weighted(made), [mine[1]])
    assert gradient.dtype == torch.float32
    wanted = defined(true[0] @ true[1].T, ids, true[3] @ true[4].T, kb.kl)
    assert relative(gradient, *gradients(weighted(wanted), [true[1]])) < 0.02


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_numbers_are_the_same() -> None:
    ids, sides = choices(0, *LEAD), [drawn(s, *LEAD, CLASSES) for s in (1, 2)]
    mine, true = leaves(*sides), leaves(*sides)
    made = selected(mine[0], ids, reference=mine[1], d=kb.kl, engine=Engine(compiled=True))
    agree(made, defined(true[0], ids, true[1], kb.kl), mine, true, 1e-12)


def test_tokens_that_do_not_count_are_not_looked_at() -> None:
    """NaN in their logits, −100 for their id: 0 for a value, 0 for a gradient, and nothing moves elsewhere."""
    mask = torch.tensor([[True, False, True, True, False], [False, True, True, False, True]])
    ids, tensors = choices(11, *LEAD).masked_fill(~mask, -100), heads(50)
    tensors[0][~mask] = math.nan
    tensors[3][~mask] = math.inf
    mine, true = leaves(*tensors), leaves(*tensors)
    policy, reference = Head(mine[0], mine[1], mine[2]), Head(mine[3], mine[4], mine[5])
    made = selected(
        policy, ids, reference=reference, d=kb.kl, mask=mask, engine=Engine(memory=2 * 2 * 8 * CLASSES)
    )
    z, y = true[0][mask] @ true[1].T + true[2], true[3][mask] @ true[4].T + true[5]
    wanted = [
        torch.zeros(LEAD, dtype=x.dtype).masked_scatter(mask, x) for x in defined(z, ids[mask], y, kb.kl)
    ]
    agree(made, wanted, mine, true, 1e-12)


@pytest.mark.parametrize("lead", [(0,), (4,)])
def test_nothing_counts(lead: tuple[int]) -> None:
    """Zeros, and gradients of exactly zero, of heads too."""
    tensors = leaves(*(drawn(s, *shape) for s, shape in enumerate([(*lead, 3), (7, 3), (7,)])))
    made = selected(
        Head(tensors[0], tensors[1], tensors[2]),
        torch.full(lead, -1),
        mask=torch.zeros(lead, dtype=torch.bool),
    )
    assert made.log_probs.tolist() == [0.0] * lead[0]
    for x in gradients(made.log_probs.sum() + made.entropy.sum(), tensors):
        assert x.abs().sum() == 0
    loss = kb.loss(
        kb.kl,
        Head(tensors[0], tensors[1], tensors[2]),
        drawn(9, 4, 7)[: lead[0]],
        mask=torch.zeros(lead, dtype=torch.bool),
        denominator=1,
    )
    for x in gradients(loss, tensors):
        assert x.abs().sum() == 0


def test_masked_classes_are_exact() -> None:
    """As if they did not exist: in both sides, in one of them, chosen or not."""
    z, y, ids = drawn(60, 4, 6), drawn(61, 4, 6), torch.tensor([0, 1, 2, 3])
    z[:, 4:], y[:, 4:] = -math.inf, -math.inf
    mine, true = leaves(z, y), leaves(z[:, :4], y[:, :4])
    made = selected(mine[0], ids, reference=mine[1], d=kb.js)
    wanted = defined(true[0], ids, true[1], kb.js)
    torch.testing.assert_close([x for x in made if x is not None], wanted, rtol=1e-13, atol=1e-15)
    for x, w in zip(gradients(weighted(made), mine), gradients(weighted(wanted), true), strict=True):
        torch.testing.assert_close(x[:, :4], w, rtol=1e-12, atol=1e-14)
        assert torch.equal(x[:, 4:], torch.zeros(4, 2, dtype=torch.float64))


def test_a_masked_choice_has_no_probability_and_no_gradient() -> None:
    z, y = drawn(62, 3, 5), drawn(63, 3, 5)
    z[0, 1], y[1, 1] = -math.inf, -math.inf
    mine, ids = leaves(z, y), torch.tensor([1, 1, 1])
    made = selected(mine[0], ids, reference=mine[1], d=kb.kl)
    assert made.log_ratio is not None
    assert made.divergence is not None
    assert made.log_probs.isinf().tolist() == [True, False, False]
    assert made.log_ratio[:2].tolist() == [-math.inf, math.inf]
    assert made.divergence.isinf().tolist() == [False, True, False]
    assert not made.entropy.isinf().any()
    to_policy, to_reference = torch.autograd.grad(made.log_ratio.sum(), mine, retain_graph=True)
    assert to_policy[0].tolist() == to_reference[1].tolist() == [0.0] * 5
    one, q = torch.eye(5, dtype=torch.float64)[1], torch.softmax(y, -1)
    torch.testing.assert_close(to_reference[2], q[2] - one)
    for x in gradients(weighted(made), mine):
        assert bool(torch.isfinite(x).all())


@pytest.mark.parametrize("gap", [8.0, 20.0, 60.0, 200.0])
def test_a_sure_policy_keeps_its_digits(gap: float) -> None:
    """Single precision: log p = −log(1 + 3 e^−gap) and the entropy, whose largest class rounds to 1, by mpmath."""
    z = torch.tensor([[gap, 0.0, 0.0, 0.0]], requires_grad=True)
    made = selected(z, torch.tensor([0]))
    with mpmath.workdps(200):
        rest = 3 * mpmath.exp(-gap)
        entropy = float(mpmath.log1p(rest) + gap * rest / (1 + rest))
        log_p, slope = float(-mpmath.log1p(rest)), float(rest / (1 + rest))
    tiny = float(torch.finfo(torch.float32).tiny)
    assert made.entropy.item() == pytest.approx(entropy, rel=1e-6, abs=tiny)
    assert made.log_probs.item() == pytest.approx(log_p, rel=1e-6, abs=tiny)
    assert gradients(made.log_probs, [z])[0][0, 0].item() == pytest.approx(slope, rel=1e-6, abs=tiny)


@pytest.mark.parametrize("delta", [1.0, 1e-2, 1e-4, 1e-6])
def test_log_ratios_of_close_policies_keep_their_digits(delta: float) -> None:
    """Logits about 30 in size: the difference of two log-probabilities has lost all of them at 1e-6."""
    y = drawn(70, 50, 300, spread=10.0, dtype=torch.float32)
    z = y + delta * drawn(71, 50, 300, dtype=torch.float32)
    z, y = torch.cat([z, z[:, :9]], -1), torch.cat([y, y[:, :9]], -1)
    z[:, -3:], y[:, -3:] = -math.inf, -math.inf
    ids = choices(72, 50, classes=300)
    g = z.double() - y.double()
    shift = torch.log1p((torch.softmax(y.double(), -1) * torch.expm1(g.nan_to_num(0.0))).sum(-1))
    wanted = g.gather(-1, ids[:, None])[:, 0] - shift
    got = selected(z, ids, reference=y).log_ratio
    assert got is not None
    assert relative(got, wanted) < 1e-6


def test_far_log_ratios() -> None:
    z, y = torch.tensor([[0.0, 300.0], [6e4, -6e4]]), torch.tensor([[300.0, 0.0], [-6e4, 6e4]])
    made = selected(z, torch.tensor([0, 0]), reference=y)
    assert made.log_ratio is not None
    assert made.log_ratio.tolist() == [-300.0, 120000.0]


def test_a_row_with_nan_spoils_no_other() -> None:
    z, y = drawn(80, 3, 5), drawn(81, 3, 5)
    z[1, 2] = math.nan
    made = selected(z, torch.tensor([0, 1, 2]), reference=y, d=kb.kl)
    whole = defined(z[[0, 2]], torch.tensor([0, 2]), y[[0, 2]], kb.kl)
    torch.testing.assert_close([x[[0, 2]] for x in made if x is not None], whole)
    assert [x.isnan().tolist() for x in made[:2]] == [[False, True, False]] * 2  # type: ignore[union-attr]


def test_second_derivatives() -> None:
    ids = torch.tensor([0, 2])
    z, y = drawn(90, 2, 3).requires_grad_(), drawn(91, 2, 3).requires_grad_()

    def numbers(z: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        return tuple(x for x in selected(z, ids, reference=y, d=kb.js) if x is not None)

    assert torch.autograd.gradcheck(numbers, (z, y), fast_mode=True)
    assert torch.autograd.gradgradcheck(numbers, (z, y), fast_mode=True)


class Largest(TorchDispatchMode):
    """How many elements the largest tensor had that any operation made."""

    most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor):
            self.most = max(self.most, made.untyped_storage().nbytes() // made.element_size())
        return made


def test_logits_are_never_all_in_memory() -> None:
    tokens, classes, width = 32, 500, 8
    h, w, y = leaves(drawn(1, tokens, width), drawn(2, classes, width), drawn(3, tokens, width))
    engine = Engine(memory=4 * 2 * 8 * classes)
    with Largest() as watched:
        made = selected(
            Head(h, w), choices(4, tokens, classes=classes), reference=Head(y, w), d=kb.kl, engine=engine
        )
        gradients(weighted(made), [h, w, y])
    assert 0 < watched.most <= max(4 * classes, w.numel())


def test_a_frozen_head_gets_no_gradient() -> None:
    h, w, ids = drawn(5, 3, 4).requires_grad_(), drawn(6, 7, 4), torch.tensor([0, 1, 2])
    selected(Head(h, w), ids, reference=Head(h.detach(), w), d=kb.kl).log_probs.sum().backward()
    assert h.grad is not None
    assert w.grad is None


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"ids": torch.tensor([0, 9, 0])}, InvalidInputError, "1 entries that name no class, the first is 9"),
        ({"ids": torch.tensor([0, -100, 0])}, InvalidInputError, "or a `mask` that leaves"),
        ({"ids": torch.tensor([0.0, 1.0, 0.0])}, DTypeError, "numbers of classes"),
        ({"ids": torch.tensor([0, 1])}, ShapeError, r"`ids` has shape \(2,\); expected \(3,\)"),
        ({"mask": torch.tensor([True])}, ShapeError, r"`mask` has shape \(1,\)"),
        ({"policy": torch.zeros(5)}, ShapeError, "leading axis"),
        ({"policy": torch.zeros(3, 5, dtype=torch.long)}, DTypeError, "logits are real numbers"),
        ({"policy": [[0.0] * 5] * 3}, DTypeError, "list"),
        ({"reference": torch.zeros(3, 6)}, ShapeError, "must agree"),
        ({"reference": None}, InvalidInputError, "pass `reference=`"),
        ({"d": "kl"}, InvalidInputError, "expected a divergence"),
        ({"temperature": 0.0}, InvalidInputError, "finite number above 0"),
    ],
    ids=lambda x: str(x)[:20],
)
def test_refusals(changed: dict[str, Any], error: type[Exception], message: str) -> None:
    given: dict[str, Any] = {
        "policy": torch.zeros(3, 5),
        "ids": torch.tensor([0, 1, 2]),
        "reference": torch.zeros(3, 5),
        "d": kb.kl,
        **changed,
    }
    with pytest.raises(error, match=message):
        selected(given.pop("policy"), given.pop("ids"), **given)


@pytest.mark.parametrize("few", [True, False], ids=["kept", "made twice"])
def test_a_masked_row_is_not_touched_however_few_rows_there_are(few: bool) -> None:
    """Of no more rows than the width of a head its logits are kept, of more they are made twice: the same numbers."""
    rows = 4 if few else 9
    tokens = torch.randn(rows, 6, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    weight = drawn(8, CLASSES, 6)
    mask, ids = torch.arange(rows) != 1, choices(9, rows)
    spoilt = tokens.clone()
    spoilt[1] = math.inf
    found = []
    for hidden, chosen in ((spoilt, mask), (tokens[mask], None)):
        h, w = leaves(hidden, weight)
        made = selected(Head(h, w), ids if chosen is not None else ids[mask], mask=chosen)
        values = kb.per_token(kb.js, Head(h, w), Head(h.detach() * 0.5, w.detach()), mask=chosen)
        total = (made.log_probs + made.entropy * made.entropy + values * values).sum()
        found.append([total.detach(), *torch.autograd.grad(total, (h, w))])
    found[0][1] = found[0][1][mask]
    for one, other in zip(*found, strict=True):
        assert relative(one, other) <= 1e-12
