"""What looks at whole rows refuses classes that are divided among processes, and says what to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist

import kullback as kb
from kullback.errors import InvalidInputError
from kullback.losses import Shard, selected


@pytest.fixture
def shard() -> Iterator[Shard]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)  # pyright: ignore[reportPrivateImportUsage]
    yield Shard(torch.tensor([[0.5, 0.5], [0.25, 0.75]]).log())
    dist.destroy_process_group()


def test_selected(shard: Shard) -> None:
    ids, whole = torch.tensor([0, 1]), torch.zeros(2, 2)
    with pytest.raises(InvalidInputError, match=r"`policy` are divided among processes.*gather the logits"):
        selected(shard, ids)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match=r"`reference` are divided among processes"):
        selected(whole, ids, reference=shard)  # type: ignore[arg-type]


def test_check_loss(shard: Shard) -> None:
    for sides in ((shard, shard), (torch.zeros(2, 2), shard)):
        (finding,) = kb.check_loss(*sides).findings  # type: ignore[arg-type]
        assert finding.name == "refused"
        assert "divided among processes" in finding.seen
        assert "full_tensor()" in finding.seen
