from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ebmsuite.scores import Row, Suite


@click.command()
@click.argument("what", metavar="DOMAIN|CASE|RECIPE|RUN")
@click.argument("words", nargs=-1, metavar="[METRIC [KEY=VALUE]...]")
@click.option("--budget", help="Budget of the recipes: quick (default) or full.")
@click.option("--checkpoint", help='For a run: "best" or a step (default: the newest checkpoint).')
@click.option("--seeds", type=int, help="Number of training runs per case.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs/evaluate"), show_default=True,
    help="Folder for the training runs and the page.",
)  # fmt: skip
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all numbers to this file.")
def command(
    what: str,
    words: tuple[str, ...],
    budget: str | None,
    checkpoint: str | None,
    seeds: int | None,
    out: Path,
    json_file: Path | None,
) -> None:
    """Score models and compare the scores with published numbers.

    The recipes of a DOMAIN, of a CASE or group of cases, or one RECIPE, are trained first, with the given budget; runs
    that are finished are reused. The table is also written as a page and as Markdown. A RUN is scored without training:
    with the metrics of its recipe, or with METRIC, as in `ebm evaluate RUN image/nearest n=500`.
    """
    from ebmsuite.evaluation.report import write_suite
    from ebmsuite.evaluation.suite import evaluate
    from ebmsuite.experiment.recipe import parse_setting
    from ebmsuite.files import write_text
    from ebmsuite.progress import show

    metric: dict[str, Any] | None = None
    if words:
        metric = {"name": words[0], **dict(map(parse_setting, words[1:]))}
    with show():
        suite = evaluate(what, budget, out, seeds, metric, checkpoint, say=lambda text: click.echo(text, err=True))
    _print(suite)
    if suite.budget != "-":
        page = out / suite.budget / f"{suite.what.replace('/', '-')}.html"
        click.echo(write_suite(suite, page))
    if json_file is not None:
        write_text(json_file, suite.as_json())


COLOURS = {"pass": "green", "miss": "red", "skipped": "yellow"}


def _print(suite: Suite) -> None:
    click.echo(f"{suite.what}, budget {suite.budget}; {suite.hardware}")
    widths = [max((len(text) for text in column), default=0) for column in zip(*map(_cells, suite.rows), strict=True)]
    group = ""
    for row in suite.rows:
        if row.group != group:  # rows without a group come first
            group = row.group
            click.echo(f"{group}:")
        cells = "  ".join(f"{text:<{width}}" for text, width in zip(_cells(row), widths, strict=True))
        click.echo(cells + "  " + click.style(row.status, fg=COLOURS.get(row.status)))
        for text in _below(row):
            click.echo(f"    {text}")


def _cells(row: Row) -> tuple[str, str, str, str]:
    from ebmsuite.evaluation.wording import bar, ours

    return row.case, row.metric, ours(row), f"bar {bar(row)}" if row.bar is not None else ""


def _below(row: Row) -> list[str]:
    from ebmsuite.evaluation.wording import compared, words

    lines = [row.reason] if row.reason else []
    if row.baselines:
        lines.append("baselines: " + ", ".join(f"{k} {v:.4g}" for k, v in row.baselines.items()))
    lines += [compared(label, of, row.better) for label, of in row.differences.items()]
    lines += [f"published: {p.value:g}, {p.source} ({p.mark})" for p in row.published]
    facts = {k: row.protocol[k] for k in ("split", "n_samples", "n_reference", "base_rate") if k in row.protocol}
    if facts:
        lines.append(words(facts))
    return lines + ([row.note] if row.note else [])
