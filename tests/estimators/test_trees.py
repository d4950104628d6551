"""The trees against every pair of points, and the compiled ones against SciPy's."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kullback.errors import InvalidInputError
from kullback.estimators.normal_scores import scores
from kullback.estimators.trees import Block, ScorePair, SortedColumn, Tree, expect, pair, tree
from kullback.estimators.trees import by_scipy as plain

numba = pytest.importorskip("numba")
from kullback.estimators.trees import by_numba  # noqa: E402

METRICS = ["chebyshev", "euclidean"]
ENGINES = [plain.ScipyTree, by_numba.CompiledTree]


def points(kind: str, n: int = 240) -> np.ndarray:
    g = np.random.default_rng(7)
    return {
        "line": g.standard_normal((n, 1)),
        "space": g.standard_normal((n, 3)),
        "many": g.standard_normal((n, 8)),
        "tied": g.standard_normal((n, 2)).round(1),
        "few": g.integers(0, 3, (n, 2)).astype(float),
        "same": np.zeros((n, 2)),
        "heavy": g.standard_cauchy((n, 2)) ** 3,
    }[kind]


KINDS = ["line", "space", "many", "tied", "few", "same", "heavy"]


def lengths(queries: np.ndarray, among: np.ndarray, metric: str) -> np.ndarray:
    apart = np.abs(queries[:, None] - among)
    if metric == "chebyshev":
        return apart.max(axis=2)
    total = np.zeros(apart.shape[:2])
    for column in np.moveaxis(apart, 2, 0):  # in the order of the columns, so that roundings are the same
        total += column * column
    return np.sqrt(total)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("own", [True, False])
def test_neighbours_are_the_nearest(engine: type, metric: str, kind: str, own: bool) -> None:
    p = points(kind)
    q = p if own else points(kind)[:50] + 0.05
    apart = lengths(q, p, metric)
    distances, rows = engine(p, metric=metric).neighbours(9, queries=None if own else q)
    np.testing.assert_allclose(np.take_along_axis(apart, rows, axis=1), distances, rtol=1e-14)
    assert all(len(set(r)) == 9 for r in rows)
    if own:
        np.fill_diagonal(apart, np.inf)
        assert not (rows == np.arange(len(p))[:, None]).any()
    np.testing.assert_allclose(np.sort(apart, axis=1)[:, :9], distances, rtol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("strict", [True, False])
def test_counts_are_exact_at_the_very_distances(metric: str, kind: str, own: bool, strict: bool) -> None:
    p = points(kind)
    q = p if own else p[:50] + 0.05
    apart = lengths(q, p, metric)
    radii = np.sort(apart, axis=1)[:, [1, 4, 17, 100]]
    tree = by_numba.CompiledTree(p, metric=metric)
    for engine in (tree, plain.ScipyTree(p, metric=metric)) if metric == "chebyshev" else (tree,):
        asked = None if own else q
        near = apart[:, :, None] < radii[:, None] if strict else apart[:, :, None] <= radii[:, None]
        assert (engine.counts(radii, queries=asked, strict=strict) == near.sum(axis=1)).all()
        one = engine.counts(radii[:, 2].copy(), queries=asked, strict=strict)
        assert (one == near.sum(axis=1)[:, 2]).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_kth_neighbour_is_within_its_own_distance_and_not_closer(engine: type, kind: str) -> None:
    p = points(kind)
    tree = engine(p, metric="euclidean")
    distances = tree.neighbours(len(p) - 1)[0]
    for radii in distances[:, [0, 2, 30]].T:
        closer = (distances < radii[:, None]).sum(axis=1) + (radii > 0)  # with the point itself
        assert (tree.counts(radii) == closer).all()
        assert (tree.counts(radii, strict=False) == (distances <= radii[:, None]).sum(axis=1) + 1).all()
    assert (tree.counts(np.full(len(p), -1.0), strict=False) == 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ENGINES)
def test_amounts_reach_all_within_the_radii(engine: type, kind: str) -> None:
    p = points(kind)
    apart = lengths(p, p, "chebyshev")
    radii = np.sort(apart, axis=1)[:, [1, 6, 40]]
    amounts = np.random.default_rng(1).standard_normal((len(p), 4, 2))
    amounts[:, -1] = 0
    first = (apart[:, :, None] >= radii[:, None]).sum(axis=2)
    want = np.take_along_axis(amounts[:, :, :], first[:, :, None], axis=1).sum(axis=0)
    np.testing.assert_allclose(engine(p).spread(radii, amounts), want, atol=1e-11)


@pytest.mark.parametrize("kind", ["line", "tied", "few", "same", "heavy"])
@pytest.mark.parametrize("strict", [True, False])
def test_a_sorted_column_is_a_tree_of_one_column(kind: str, strict: bool) -> None:
    x = points(kind)[:, 0]
    column, block = SortedColumn.of(x), Block.of(x[:, None])
    radii = np.sort(lengths(x[:, None], x[:, None], "chebyshev"), axis=1)[:, [0, 1, 5, 60]]
    assert (column.counts(radii, strict=strict) == block.counts(radii, strict=strict)).all()
    runs = [f(column.values, column.places, radii, strict=strict) for f in (plain.strips, by_numba.strips)]
    assert (runs[0] == runs[1]).all()
    amounts = np.random.default_rng(1).standard_normal((len(x), 5, 2))
    amounts[:, -1] = 0
    np.testing.assert_allclose(column.spread(radii, amounts), block.spread(radii, amounts), atol=1e-11)


def test_in_order_is_about_rows() -> None:
    tree = Tree(points("space"))
    distances, places = tree.in_order(4)
    want, rows = tree.neighbours(4)
    assert (distances == want[tree.rows]).all()
    assert (tree.rows[places] == rows[tree.rows]).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_kth_distance_is_that_of_the_list(engine: type, metric: str, kind: str) -> None:
    tree = engine(points(kind), metric=metric)
    for k in (1, 4):
        assert (tree.kth(k) == tree.in_order(k)[0][:, -1]).all()


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    p = np.random.default_rng(0).standard_normal((6000, 6))
    alone = by_numba.CompiledTree(p)
    one = alone.neighbours(4)
    few = alone.counts(one[0])
    monkeypatch.setattr(by_numba.config, "NUMBA_NUM_THREADS", 3)
    assert all((a == b).all() for a, b in zip(one, alone.neighbours(4), strict=True))
    assert (few == alone.counts(one[0])).all()


def pairs(kind: str, n: int = 700) -> np.ndarray:
    """The places in y of rows that ascend in x."""
    g = np.random.default_rng(3)
    x = np.arange(n)
    return {
        "independent": g.permutation(n),
        "close": np.argsort(np.argsort(x + 30 * g.standard_normal(n))),
        "quarters": (x + n // 2) % n,
    }[kind]


@pytest.mark.parametrize("kind", ["independent", "close", "quarters"])
@pytest.mark.parametrize("n", [8, 700, 6000])
@pytest.mark.parametrize("column", ["scores", "random"])
def test_cells_find_what_the_tree_finds(
    kind: str, n: int, column: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair, "_ROWS", 1 << 10)  # several blocks
    values = np.sort(np.random.default_rng(1).standard_normal(n)) if column == "random" else scores(n)
    places = pairs(kind, n)
    found = ScorePair.of(values, places)
    assert found is not None
    points = np.column_stack([values, values[places]])
    for k in (1, 7) if n > 8 else (1, 3):
        distances, rows = found.neighbours(k)
        assert (distances == by_numba.CompiledTree(points).neighbours(k)[0]).all()
        assert (np.abs(points[:, None] - points[rows]).max(axis=2) == distances).all()
        assert (np.sort(rows, axis=1)[:, 1:] != np.sort(rows, axis=1)[:, :-1]).all()
        assert not (rows == np.arange(n)[:, None]).any()
        for c in range(2):
            margin = SortedColumn.of(points[:, c])
            assert (found.inside(k)[:, c] == margin.counts(distances[:, -1:])[:, 0] - 1).all()


def test_crowded_cells_are_left_to_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    n = 20_000
    assert ScorePair.of(scores(n), np.arange(n)) is None
    monkeypatch.setattr(pair, "compiled", lambda _: False)
    assert ScorePair.of(scores(n), np.random.default_rng(0).permutation(n)) is None


def test_many_small_searches_load_the_compiled_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(tree, "import_module", loaded.append)
    expect(3, 1000)
    assert not loaded
    expect(500, 4000)
    assert loaded == ["numba"]
    monkeypatch.setattr(tree, "_installed", lambda: False)
    expect(500, 4000)
    assert loaded == ["numba"]


def test_k_beyond_the_points_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="between 1 and 2"):
        Tree(np.zeros((3, 1))).neighbours(3)


def test_equal_points_cost_no_more_than_others() -> None:
    tree = by_numba.CompiledTree(np.zeros((100_000, 2)))  # quadratic work would take minutes
    assert (tree.neighbours(3)[0] == 0).all()
    assert (tree.counts(np.full(100_000, 0.1)) == 100_000).all()


_READ_ONLY = """
import kullback.estimators, sys
assert "numba" not in sys.modules
import numpy as np
from kullback.estimators.trees import Tree
print(Tree(np.random.default_rng(0).standard_normal((20_000, 2))).neighbours(1)[0].sum() > 0, "numba" in sys.modules)
"""


@pytest.mark.slow
def test_a_read_only_package_compiles_elsewhere(tmp_path: Path) -> None:
    import shutil

    source = Path(plain.__file__).parents[2]
    home = tmp_path / "site" / "kullback"
    shutil.copytree(source, home, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [home, *(f for f in home.rglob("*") if f.is_dir())]:
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    env = {
        **os.environ,
        "PYTHONPATH": str(home.parent),
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path),
    }
    ran = subprocess.run(
        [sys.executable, "-c", _READ_ONLY], env=env, capture_output=True, text=True, check=True
    )
    for folder in [home, *(f for f in home.rglob("*") if f.is_dir())]:
        folder.chmod(stat.S_IRWXU)
    assert ran.stdout.split() == ["True", "True"]
