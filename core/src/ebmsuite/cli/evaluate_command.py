from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ebmsuite.evaluation import Row, Suite


@click.command()
@click.argument("what", metavar="DOMAIN|RECIPE|RUN")
@click.option("--budget", help="quick (default) or full.")
@click.option("--seeds", type=int, help="Runs a case.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/evaluate"), show_default=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all numbers there.")
def command(what: str, budget: str | None, seeds: int | None, out: Path, json_file: Path | None) -> None:
    """Numbers beside the published ones.

    A domain or a recipe is trained first, at the budget asked for; a run is judged as it is.
    """
    from ebmsuite.evaluation import evaluate
    from ebmsuite.files import write_text
    from ebmsuite.report import write_suite

    suite = evaluate(what, budget, out, seeds, say=lambda text: click.echo(text, err=True))
    _print(suite)
    if suite.budget != "-":
        page = out / suite.budget / f"{suite.what.replace('/', '-')}.html"
        click.echo(write_suite(suite, page))
    if json_file is not None:
        write_text(json_file, suite.as_json())


def _print(suite: Suite) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{suite.what}, budget {suite.budget}; {suite.hardware}", title_justify="left")
    for column in ("case", "metric", "ours", "bar", "published", "baselines", "result"):
        table.add_column(column, overflow="fold")
    for row in suite.rows:
        table.add_row(row.case, row.metric, _ours(row), *_beside(row), row.status)
    Console().print(table)


def _ours(row: Row) -> str:
    if row.status == "skipped":
        return row.reason
    spread = "" if row.spread is None else f" ± {row.spread:.2g} ({len(row.values)} seeds)"
    return f"{row.mean:.4g}{spread}"


def _beside(row: Row) -> tuple[str, str, str]:
    bar = "" if row.bar is None else f"{'≤' if row.better == 'lower' else '≥'} {row.bar:g}"
    published = "\n".join(
        f"[dim]{p.value:g} {p.source} ({p.mark})[/dim]" if p.mark == "memory" else f"{p.value:g} {p.source}"
        for p in row.published
    )
    return bar, published, "\n".join(f"{k} {v:.4g}" for k, v in row.baselines.items())
