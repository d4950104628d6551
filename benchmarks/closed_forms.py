"""Every registered closed form of KL next to PyTorch and SciPy: excess wrong bits and microseconds per call.

    python benchmarks/closed_forms.py

Excess wrong bits are log2 of the relative error in units of rounding, less log2 of the condition number: what a method
loses beyond what rounding of the parameters must. The truth is a textbook formula in 80 digits. For two laws of one
family the second one is at a distance delta from the first; for two families the members of the tests are taken. SciPy
has no closed forms, so that it integrates or sums its own densities. What is registered is read from the registry, and
PyTorch's class from the family that its objects are read as. Times against PyTorch go to results.csv. Two minutes.
"""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np
import torch
from scipy import integrate

import kullback as kb
from kullback.exact.law import Law
from kullback.exact.reading import read
from kullback.exact.registry import closed_forms, families
from measure import Row, Setting, alternate, compared, keep_heap, record, timed

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
# the members and formulas that the tests hold the closed forms against
from exact import members, textbook, textbook_pairs  # pyright: ignore[reportMissingImports]

DELTAS = (1e-1, 1e-4, 1e-8)
EPSILON = float(np.finfo(float).eps)
RUNS = 3
Parameters = Mapping[str, Any]


def torch_class(name: str) -> Callable[..., Any] | None:
    """The class of PyTorch whose objects are read as this family, made from its parameters by their names."""
    parameters = members.MEMBERS[name][0]
    for found in torch.distributions.__all__:
        kind = getattr(torch.distributions, found)
        try:
            law = read(as_torch(kind, parameters), found)
        except (TypeError, ValueError, NotImplementedError, kb.errors.KullbackError, AttributeError):
            continue
        if law.family is not None and law.family.name == name and not law.transforms:
            return kind
    return None


def as_torch(kind: Callable[..., Any], parameters: Parameters) -> Any:
    return kind(**{key: torch.tensor(x, dtype=torch.float64) for key, x in parameters.items()})


def pairs(left: str, right: str, delta: float) -> list[tuple[Parameters, Parameters]]:
    """Near pairs of one family, or the members of two of which the first lies inside the second's support."""
    if left == right:
        return [_near(left, first, delta) for first in members.MEMBERS[left]]
    firsts = textbook_pairs.INSIDE.get((left, right), members.MEMBERS[left])
    found = [(p, q) for p in firsts for q in members.MEMBERS[right]]
    return [(p, q) for p, q in found if math.isfinite(ours(laws(left, right, p, q)))]


def _near(name: str, first: Parameters, delta: float) -> tuple[Parameters, Parameters]:
    second = members.moved(first, delta)
    # the first law is to lie inside the second's support
    if name == "pareto":
        second["scale"] = first["scale"] * (1 - delta)
    if name == "uniform":
        second = {"low": first["low"] - delta, "high": first["high"] + delta}
    return first, second


def truth(left: str, right: str, p: Parameters, q: Parameters) -> Any:
    return textbook.kl(left, p, q) if left == right else textbook_pairs.kl(left, right, p, q)


def laws(left: str, right: str, p: Parameters, q: Parameters) -> tuple[Law, Law]:
    return members.member(left, p), members.member(right, q)


def ours(pair: tuple[Any, Any]) -> float:
    return float(np.asarray(kb.between(kb.kl, *pair).value))


def condition(left: str, right: str, p: Parameters, q: Parameters, exact: Any) -> float:
    """Σ |θ ∂D/∂θ| / D over every number in both laws, by a difference in many digits."""
    total = mp.mpf(0)
    for side, parameters in enumerate((p, q)):
        for name, value in parameters.items():
            array = np.asarray(value, dtype=object)
            for place in np.ndindex(array.shape):
                if name == "total_count" or not array[place]:
                    continue
                shifted = array.copy()
                shifted[place] = mp.mpf(array[place]) * (
                    1 - mp.mpf(10) ** -30
                )  # inwards at an end of a support
                changed = {**parameters, name: shifted.tolist() if array.ndim else shifted[()]}
                both = (changed, q) if side == 0 else (p, changed)
                total += abs(truth(left, right, *both) - exact) * mp.mpf(10) ** 30
    return float(total / abs(exact))


def wrong_bits(value: float, exact: Any, conditioned: float) -> float:
    relative = float(abs((mp.mpf(value) - exact) / exact)) if math.isfinite(value) else 1.0
    return max(0.0, math.log2(max(relative, EPSILON) / (EPSILON * max(conditioned, 1.0))))


def by_scipy(pair: tuple[Law, Law]) -> float | None:
    """The textbook integral of SciPy's densities, or the sum over its mass functions."""
    p, q = pair
    if any(law.family is None or law.family.rank or law.family.frozen is None for law in pair):
        return None
    support = p.support
    f, g = p.frozen, q.frozen
    if support is None or not all(hasattr(x, "logpmf" if support.discrete else "logpdf") for x in (f, g)):
        return None
    if support.discrete:
        x = np.arange(support.low, min(support.high, 1000.0) + 1.0)
        mass, log_p, log_q = f.pmf(x), f.logpmf(x), g.logpmf(x)
        return float(np.sum(np.where(mass > 0, mass * (log_p - log_q), 0.0)))

    def integrand(x: float) -> float:
        log_p = f.logpdf(x)
        mass = math.exp(log_p)
        return 0.0 if mass == 0 else mass * (log_p - g.logpdf(x))

    return float(integrate.quad(integrand, support.low, support.high)[0])


def by_torch(kinds: tuple[Any, Any], p: Parameters, q: Parameters) -> tuple[Any, Any] | None:
    """Both laws as objects of PyTorch, where it has a divergence for them."""
    if None in kinds:
        return None
    found = as_torch(kinds[0], p), as_torch(kinds[1], q)
    try:
        torch.distributions.kl_divergence(*found)
    except NotImplementedError:
        return None
    return found


def bits(left: str, right: str, kinds: tuple[Any, Any], delta: float) -> list[float | None]:
    """The most that kullback, PyTorch and SciPy lose over the pairs at this distance."""
    worst: list[float | None] = [None, None, None]
    for p, q in pairs(left, right, delta):
        exact = truth(left, right, p, q)
        conditioned = condition(left, right, p, q, exact)
        as_theirs = by_torch(kinds, p, q)
        theirs = None if as_theirs is None else float(torch.distributions.kl_divergence(*as_theirs))
        values = (ours(laws(left, right, p, q)), theirs, by_scipy(laws(left, right, p, q)))
        for i, value in enumerate(values):
            if value is not None:
                worst[i] = max(worst[i] or 0.0, wrong_bits(value, exact, conditioned))
    return worst


def once(call: Callable[[], object]) -> float:
    """Microseconds of one call that nothing is compared with; a long one is not repeated."""
    start, n = time.process_time(), 0
    while time.process_time() - start < 0.02:
        call()
        n += 1
    return 1e6 * (time.process_time() - start) / n


def times(
    left: str, right: str, kinds: tuple[Any, Any], setting: Setting
) -> tuple[list[float | None], Row | None]:
    # infinite for every member, or the first pair that is finite
    p, q = (pairs(left, right, DELTAS[0]) or [(members.MEMBERS[left][0], members.MEMBERS[right][0])])[0]
    both, as_theirs = laws(left, right, p, q), by_torch(kinds, p, q)
    scipy = None if by_scipy(both) is None else once(lambda: by_scipy(both))
    if as_theirs is None:
        return [once(lambda: ours(both)), None, scipy], None
    samplers = {
        "kb.between": timed(lambda: kb.between(kb.kl, *as_theirs)),
        "torch kl_divergence": timed(lambda: torch.distributions.kl_divergence(*as_theirs)),
    }
    task = f"KL of {left} and {right}, one pair"
    row = compared(
        setting,
        task,
        alternate(samplers, runs=RUNS, task=task),
        candidate="kb.between",
        baseline="torch kl_divergence",
    )
    return [1e6 * row.median_seconds, 1e6 * row.baseline_seconds, scipy], row


def registered() -> Iterator[tuple[str, str]]:
    """The pairs with a KL divergence whose families have members in the tests."""
    for left, right in dict.fromkeys(
        (form.left, form.right) for form in closed_forms() if form.what != "renyi"
    ):
        if left in members.MEMBERS and right in members.MEMBERS:
            yield left, right


def has_formula(left: str, right: str) -> bool:
    """Whether there is a truth in many digits for the pair."""
    return left in textbook.KL if left == right else textbook_pairs.has(left, right)


def line(name: str, numbers: list[float | None], spec: str) -> str:
    return name + " ".join(f"{'-':>6}" if x is None else format(x, spec) for x in numbers)


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    keep_heap()
    setting = Setting(Path(__file__).name, 1, ("kullback", "torch", "scipy", "numpy"))
    classes = {name: torch_class(name) for name in families() if name in members.MEMBERS}
    print("excess wrong bits and, last, microseconds per call; each time kullback, torch, scipy")
    heads = "   ".join(f"{'delta ' + format(d, 'g'):^20}" for d in DELTAS)
    print(f"{'':42}{heads}   {'us per call':^20}")
    rows = []
    for left, right in registered():
        kinds = classes[left], classes[right]
        deltas = () if not has_formula(left, right) else DELTAS if left == right else DELTAS[:1]
        parts = [line("", bits(left, right, kinds, d), "6.1f") for d in deltas]
        parts += [" " * 20] * (len(DELTAS) - len(deltas))
        taken, row = times(left, right, kinds, setting)
        print(f"{left + '‖' + right:42}{'   '.join(parts)}   {line('', taken, '6.0f')}", flush=True)
        rows += [row] if row else []
    record(rows)


if __name__ == "__main__":
    main()
