"""`kullback compare BEFORE AFTER`: options become arguments of `compare`, the report goes where it was asked for."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated

import typer

from kullback.tables import adjust as adjustments
from kullback.tables import gates
from kullback.tables.comparison import compare
from kullback.tables.running import Job, run

_DEFAULTS = {name: parameter.default for name, parameter in inspect.signature(compare).parameters.items()}

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)

_ADJUST = adjustments.name_of(_DEFAULTS["adjust"])
_GATE = "drift"

Before = Annotated[str, typer.Argument(help="csv, tsv, parquet, arrow, feather or jsonl", show_default=False)]
After = Annotated[str, typer.Argument(help="the table to compare with it", show_default=False)]
Measure = Annotated[
    str, typer.Option(help="divergence by name: js, kl, psi, hellinger, alpha:0.5 and others")
]
Bins = Annotated[int, typer.Option(help="cells of a number or a date, at most")]
Names = Annotated[list[str] | None, typer.Option(help="these columns only; separated by commas, repeatable")]
NotNames = Annotated[
    list[str] | None, typer.Option(help="not these columns; separated by commas, repeatable")
]
Alpha = Annotated[float, typer.Option(help="level of the tests, after the correction over the columns")]
Level = Annotated[float, typer.Option(help="level of the intervals")]
MinEffect = Annotated[
    float,
    typer.Option(
        help="smallest divergence that counts, in nats or whatever the measure has; the default is 0.01 bit"
    ),
]
Adjust = Annotated[str, typer.Option(help=f"correction over the columns: {', '.join(adjustments.NAMES)}")]
Permutations = Annotated[int, typer.Option(help="draws of the permutation test")]
MaxCategories = Annotated[int, typer.Option(help="categories with a cell of their own, at most")]
Seed = Annotated[int, typer.Option(help="the same seed gives the same numbers")]
Html = Annotated[Path | None, typer.Option(help="write the report as one page", show_default=False)]
Json = Annotated[Path | None, typer.Option(help="write every number as JSON", show_default=False)]
Markdown = Annotated[Path | None, typer.Option(help="write a table for a pull request", show_default=False)]
FailOn = Annotated[
    list[str] | None,
    typer.Option(
        help=f"what makes the exit status 1: {', '.join(gates.GATES)}; repeatable [default: {_GATE}]"
    ),
]
MaxBytes = Annotated[str, typer.Option(help="largest table to read, such as 500MB or 8GiB")]
Config = Annotated[Path, typer.Argument(help="settings in YAML or TOML", show_default=False)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="print the result only, and no progress")]


@app.callback()
def kullback() -> None:
    """How far apart are two distributions?"""


@app.command(
    "compare", epilog="Exit status: 0 nothing above the gate, 1 a gate is hit, 2 bad input or usage."
)
def compare_files(
    before: Before,
    after: After,
    measure: Measure = _DEFAULTS["measure"].name,
    bins: Bins = _DEFAULTS["bins"],
    columns: Names = None,
    exclude: NotNames = None,
    alpha: Alpha = _DEFAULTS["alpha"],
    level: Level = _DEFAULTS["level"],
    min_effect: MinEffect = _DEFAULTS["min_effect"],
    adjust: Adjust = _ADJUST,
    permutations: Permutations = _DEFAULTS["permutations"],
    max_categories: MaxCategories = _DEFAULTS["max_categories"],
    seed: Seed = _DEFAULTS["seed"],
    html: Html = None,
    json: Json = None,
    markdown: Markdown = None,
    fail_on: FailOn = None,
    max_bytes: MaxBytes = "2GiB",
    quiet: Quiet = False,
) -> None:
    """Compare two tables, column by column: what differs, how much, and how surely."""
    options = {
        "bins": bins,
        "alpha": alpha,
        "level": level,
        "min_effect": min_effect,
        "permutations": permutations,
        "max_categories": max_categories,
        "seed": seed,
    }
    wanted = {"html": html, "json": json, "markdown": markdown}
    failing = fail_on or [_GATE]
    job = Job(before, after, measure, adjust, columns, exclude, options, wanted, failing, max_bytes, quiet)
    raise typer.Exit(run(job))


@app.command(
    "distill", epilog="Exit status: 0 done, 2 bad settings, 130 interrupted: the same command goes on."
)
def distill_student(config: Config, quiet: Quiet = False) -> None:
    """Train a small language model to say what a large one says, by any divergence."""
    from kullback.tables.distilling import run as distill

    typer.echo(distill(config, quiet=quiet))
