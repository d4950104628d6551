"""The command `python -m gallery`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gallery.entry import Budget, Entry, Verdict, entries, unreadable
from gallery.record import Order, Record, kept
from gallery.running import records

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Published methods, run and held to what they claim."
)
MARKS = {
    "reproduced": "[green]✓[/]",
    "mixed": "[yellow]◐[/]",
    "not reproduced": "[red]✗[/]",
    "failed": "[red]![/]",
}
Keys = Annotated[list[str] | None, typer.Argument(help="keys of entries, as `list` shows them")]
Cost = Annotated[Budget, typer.Option(help="small: at most a minute on two cores; full: what it takes")]
Seed = Annotated[int, typer.Option(help="the first of the seeds")]


@app.command("list")
def show_all() -> None:
    """Every entry, with the status that its file declares."""
    table = Table("entry", "area", "status", "divergences", box=None, pad_edge=False)
    for entry in entries().values():
        table.add_row(entry.key, entry.area, entry.declared, ", ".join(entry.divergences))
    _console().print(table)
    _tell_unreadable()


@app.command()
def show(key: str) -> None:
    """One entry: the paper in plain words, its claim, and the verdicts of the last run."""
    (entry,) = _chosen([key], False)
    console = _console()
    console.print(
        f"[bold]{escape(entry.title)}[/]  \\[{entry.reference}]\n\n{escape(_unwrapped(entry.about))}\n"
    )
    console.print(f"Claim: {escape(entry.claim)}\n[dim]{entry.path}[/]")
    record = kept(entry, Order())
    if record is None:
        console.print(f"\nNot run yet, or changed since: python -m gallery run {key}")
    else:
        _verdicts(console, record.verdicts)


@app.command()
def run(
    keys: Keys = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="every entry")] = False,
    budget: Cost = Budget.SMALL,
    seed: Seed = 0,
    control: Annotated[
        bool, typer.Option("--control", help="the broken variant, which must turn red")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="run even what has not changed")] = False,
    jobs: Annotated[int | None, typer.Option(help="entries at a time; one a core by default")] = None,
) -> None:
    """Run entries; the exit status is 1 if one has another status than it declares, or a control stays green."""
    chosen, order, console = _chosen(keys or [], everything), Order(budget, seed, control), _console()
    found: dict[str, Record] = {}
    with _progress() as bar:
        task = bar.add_task("", total=len(chosen))

        def started(entry: Entry) -> None:
            bar.update(task, description=entry.key)

        for entry, record in records(chosen, order, jobs=jobs, again=again, started=started):
            found[entry.key] = record
            bar.advance(task)
    table, surprises = _table(chosen, found, order)
    console.print(table)
    if len(chosen) == 1 and not found[chosen[0].key].error:
        _verdicts(console, found[chosen[0].key].verdicts)
    if surprises + (everything and _tell_unreadable()):
        raise typer.Exit(1)


@app.command()
def site(
    folder: Path,
    *,
    budget: Cost = Budget.SMALL,
    seed: Seed = 0,
) -> None:
    """Write the static pages from what was run; entries without a run say so."""
    from gallery.pages import write

    order = Order(budget, seed)
    found = [(entry, kept(entry, order)) for entry in entries().values()]
    write(folder, found)
    missing = sum(record is None for _, record in found)
    _console().print(
        f"{len(found)} entries in {folder / 'index.html'}" + (f", {missing} not run yet" if missing else "")
    )


def _tell_unreadable() -> int:
    """Name the files that are no entries; returns how many there are."""
    wrong = unreadable()
    for reason in wrong:
        Console(stderr=True, highlight=False).print(f"[red]left out:[/] {escape(reason)}")
    return len(wrong)


def _chosen(keys: Iterable[str], everything: bool) -> list[Entry]:
    known = entries()
    keys = list(known) if everything else list(keys)
    unknown = [key for key in keys if key not in known]
    if unknown or not keys:
        what = f"there is no entry {', '.join(unknown)}" if unknown else "name an entry, or pass --all"
        raise typer.BadParameter(f"{what}; `python -m gallery list` shows those there are")
    return [known[key] for key in keys]


def _table(chosen: list[Entry], found: dict[str, Record], order: Order) -> tuple[Table, int]:
    table = Table("entry", "area", "found", "held", "s", box=None, pad_edge=False)
    surprises = 0
    for entry in chosen:
        record = found[entry.key]
        held = f"{sum(v.passed for v in record.verdicts)}/{len(record.verdicts)}"
        expected = record.as_expected(entry, order)
        surprises += not expected
        told = f"{MARKS[record.status]} {record.status}" + (
            "" if expected else _surprise(entry, record, order)
        )
        time = f"{record.seconds:.1f}" + (" (kept)" if record.kept else "")
        table.add_row(entry.key, entry.area, told, held, time)
    return table, surprises


def _surprise(entry: Entry, record: Record, order: Order) -> str:
    if record.error:
        return f": {escape(record.error)}"
    return ", and a control has to turn red" if order.control else f", declared {entry.declared}"


def _verdicts(console: Console, verdicts: Iterable[Verdict]) -> None:
    for v in verdicts:
        numbers = ", ".join(f"{x:.3g}" for x in v.found)
        mark = "[green]✓[/]" if v.passed else "[red]✗[/]"
        console.print(f"{mark} {escape(v.says)}: {numbers} [dim](expected {escape(v.expected)})[/]")


def _unwrapped(text: str) -> str:
    """One line a paragraph, for the terminal to wrap."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text)


def _console() -> Console:
    return Console(highlight=False)


def _progress() -> Progress:
    columns = (MofNCompleteColumn(), BarColumn(24), TimeElapsedColumn(), TextColumn("{task.description}"))
    return Progress(*columns, console=Console(stderr=True), transient=True)


if __name__ == "__main__":
    app(prog_name="python -m gallery")
