"""An objective in a loop of one's own and in Lightning's: the same steps, and they keep the promise."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

import kullback as kb

EXAMPLE = Path(__file__).parents[2] / "examples" / "constraint_lightning.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("constraint_lightning", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore")  # Lightning's own
def test_both_loops_make_the_same_steps(example: ModuleType) -> None:
    base = example.pretrained(2)
    ends = []
    for loop in (example.plain, example.by_lightning):
        writer = copy.deepcopy(base)
        torch.manual_seed(3)
        loop(writer, example.Promise(kb.js, base), 3)
        ends.append(torch.cat([p.detach().flatten() for p in writer.parameters()]))
    assert torch.equal(*ends)
    assert not torch.equal(ends[0], torch.cat([p.detach().flatten() for p in base.parameters()]))


@pytest.mark.slow
def test_the_promise_is_kept_more_often(example: ModuleType) -> None:
    base = example.pretrained(200)
    writer = copy.deepcopy(base)
    example.plain(writer, example.Promise(kb.js, base), 100)
    before, after = (example.kept(m.draw(1000)).float().mean() for m in (base, writer))
    assert after > 3.0 * before
