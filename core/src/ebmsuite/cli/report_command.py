from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
def command(run: Path) -> None:
    """Write RUN/report.html with the pictures, scores, curves and recipe of the run."""
    from ebmsuite.evaluation.report import write_report
    from ebmsuite.files import printable

    click.echo(printable(write_report(run)))
