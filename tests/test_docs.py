"""Every example of the documentation runs and gives what the page says; the generated pages are complete."""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

import bibliography
import closed_forms
import estimator_choices
import estimator_pages
import estimator_runs
import generate
import kullback as kb
import page_runner
import which_estimator
from kullback.exact import registry

REPOSITORY = Path(__file__).parents[1]
PAGES = sorted(
    [*(REPOSITORY / "docs").rglob("*.md"), REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"]
)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_page(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    monkeypatch.chdir(tmp_path)  # what an example writes does not stay in the repository
    page_runner.run_page(page)


def test_most_pages_show_code() -> None:
    with_code = [p for p in PAGES if any(b.language == "python" for b in page_runner.blocks(p.read_text()))]
    assert len(with_code) >= 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```python\n1 + 1  # -> 3\n```\n", "bad.md:2: the page says 3, the code gives 2"),
        ("```python\nx = 1\n```\n\n```python\nx  # -> 2\n```\n", "bad.md:6"),
        ("```python\n>>> 1 + 1\n3\n```\n", "Expected"),
        ("```python\nprint(1)\n```\n\n```text\n2\n```\n", "bad.md:2 prints\n1"),
        ("```console\n$ kullback compare no.csv no.csv\n$ echo $?\n0\n```\n", "bad.md:2 $ echo $? prints\n2"),
        ("```python\n0.12345  # -> 0.1236\n```\n", "0.1236"),
    ],
)
def test_a_wrong_page_is_found(text: str, message: str, tmp_path: Path) -> None:
    page = tmp_path / "bad.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError) as caught:
        page_runner.run_page(page)
    assert message in str(caught.value)


def test_a_right_page_passes(tmp_path: Path) -> None:
    page = tmp_path / "good.md"
    blocks = ["x = 0.123456", "x  # -> 0.1235\n[x, 1]  # -> [0.12, 1]\nprint('a')  # -> a", ">>> x > 0\nTrue"]
    page.write_text("\n".join(f"```python\n{block}\n```\n" for block in blocks), encoding="utf-8")
    assert page_runner.run_page(page) == 3


def test_every_divergence_has_a_page() -> None:
    pages = generate.pages()
    listed = kb.catalogue()
    names = {d.name.partition("(")[0] for d in (*listed, *listed.relatives)} | {
        name for name, _ in listed.families
    }
    assert {f"divergences/{name}.md" for name in names} <= pages.keys()
    assert all(f"`{d.name}`" in pages["divergences/index.md"] for d in listed)


@pytest.mark.parametrize("name", [path for path in generate.pages() if path.startswith("divergences/")])
def test_generated_page_runs_and_is_complete(name: str, tmp_path: Path) -> None:
    text = generate.pages()[name]
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    page_runner.run_page(page)
    assert "nan" not in text.replace("finance", "").lower().split()
    if name != "divergences/index.md":
        assert all(part in text for part in ("$", "references.md#", ">>> "))
    if name[12:-3] in {d.name.partition("(")[0] for d in kb.catalogue()}:
        assert all(part in text for part in ("<svg", "## Properties", "| curvature |"))


@pytest.mark.parametrize("name", [path for path in generate.pages() if path.startswith("estimators/")])
def test_page_of_methods_runs(name: str, tmp_path: Path) -> None:
    text = generate.pages()[name]
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    assert page_runner.run_page(page) >= (0 if name == "estimators/index.md" else 5)


def test_every_name_of_the_estimators_has_one_entry() -> None:
    text = "".join(page for path, page in generate.pages().items() if path.startswith("estimators/"))
    for name in kb.estimators.__all__:
        assert text.count(f"\n## {name}\n") == 1, name


def test_methods_are_asked_what_they_serve() -> None:
    entropies, informations = (estimator_pages.table(name) for name in ("entropy", "information"))
    assert "`SpacingEntropy`](entropy.md#spacingentropy) | ✓ | · | · | · |" in entropies
    assert "`KSG`](information.md#ksg) | ✓ | ✓ | · | · | · |" in informations
    assert "| two classes | [`Contingency`]" in estimator_choices.table()


def test_figures_of_estimates_show_every_run() -> None:
    assert {run.figure.partition(" ")[0] for run in which_estimator.runs()} == {
        "dimension",
        "saturation",
        "coverage",
    }
    known = {type(m).__name__ for c in estimator_runs.cases() for m in c.methods}
    shown = [run for run in which_estimator.runs() if run.figure.startswith("coverage")]
    assert {run.method for run in shown} == known
    picture = which_estimator.coverage()
    assert all(escape(f"{run.method}: {run.law}") in picture for run in shown)
    for draw in (which_estimator.coverage, which_estimator.saturation):
        assert "\n\n" not in draw()  # a blank line would end the figure in Markdown
    assert which_estimator.saturation().count("hollow") > 5


def test_every_closed_form_is_listed() -> None:
    page = generate.pages()["closed-forms.md"]
    for form in registry.closed_forms():
        assert f"| `{form.left}` | `{form.right}` |" in page
        assert closed_forms.cell(form.title) in page
    assert closed_forms.pairs().count("\n") == len(registry.closed_forms()) + 1
    for name, family in registry.families().items():
        row = f"| `{name}` | {', '.join(family.domains)} | {' | '.join(closed_forms.kinds(family))} |"
        assert row in page
    assert closed_forms.kinds(registry.families()["normal"]) == ("closed", "exponential family", "quadrature")
    assert closed_forms.kinds(registry.families()["negative_binomial"])[1] == "enumeration"
    assert all(f"`{d.name}`" in page for d in (kb.wasserstein(2), kb.fisher))


def test_bibliography_is_complete() -> None:
    found = bibliography.entries(bibliography.BIBLIOGRAPHY.read_text(encoding="utf-8"))
    assert [key for key, entry in found.items() if not {"author", "title", "year"} <= entry.keys()] == []
    assert all(
        key.endswith(entry["year"]) or key[:-1].endswith(entry["year"]) for key, entry in found.items()
    )


def test_an_unknown_source_stops_the_build() -> None:
    with pytest.raises(KeyError, match="nobody2020"):
        bibliography.link_keys("see [nobody2020]", set(), root="")


def test_formulas_become_mathml() -> None:
    marked = r'<p><span class="arithmatex">\(p &lt; q\)</span></p>'
    assert generate.mathml(marked).startswith("<p><math")


def test_site_builds_without_a_warning(tmp_path: Path) -> None:
    config = load_config(str(REPOSITORY / "mkdocs.yml"), site_dir=str(tmp_path / "site"), strict=True)
    config.plugins.on_startup(command="build", dirty=False)
    build(config)
    built = (tmp_path / "site" / "divergences" / "kl" / "index.html").read_text(encoding="utf-8")
    assert "<math" in built
    assert "arithmatex" not in built
    picture = (tmp_path / "site" / "bounds" / "index.html").read_text(encoding="utf-8")
    assert "<svg" in picture
    assert "joint ranges -->" not in picture
    chosen = (tmp_path / "site" / "which-estimator" / "index.html").read_text(encoding="utf-8")
    assert chosen.count("<svg") >= 4
    assert "<!--" not in chosen.partition("<article")[2].partition("</article>")[0]
    assert "references/#czyz2023" in chosen
