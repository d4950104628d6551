"""Losses over a divided vocabulary: two processes on one machine against one that has all of the classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from losses import parallel_places, processes

ALL = list(parallel_places.listed().found)
SLOW = [name for name in ALL if name.startswith("compiled")]


@pytest.fixture(scope="module")
def heard(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What both processes found, in one run for all checks that are asked for."""
    asked = {item.name for item in request.session.items if item.path == Path(__file__)}
    names = [name for name in ALL if f"test_as_in_one_process[{name}]" in asked]
    return processes.run(parallel_places.listed, names, tmp_path_factory.mktemp("processes"))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in ALL]
)
def test_as_in_one_process(name: str, heard: dict[str, list[str]]) -> None:
    assert heard[name] == []
