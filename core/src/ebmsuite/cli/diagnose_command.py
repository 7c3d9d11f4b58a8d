from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--phase", help="Whose chains; the first that draws events unless said.")
@click.option("-n", "chains", default=64, show_default=True, help="Number of chains of each start.")
@click.option("--times", default=100, show_default=True, help="The longest run, in multiples of that of learning.")
@click.option("--log-z/--no-log-z", default=None, help="Annealed importance sampling; up to 50 numbers unless said.")
@click.option("--seed", default=0, show_default=True)
@click.option("--checkpoint", help='"best", or a step; the newest unless said.')
@click.option("--device", default="auto", show_default=True)
def command(
    run: Path, phase: str | None, chains: int, times: int, log_z: bool | None, seed: int, checkpoint: str | None,
    device: str,
) -> None:  # fmt: skip
    """Can the chains of RUN be trusted, and what does its energy mean? Writes RUN/diagnosis.html."""
    from ebmsuite.diagnosis import diagnose
    from ebmsuite.diagnosis.words import verdict
    from ebmsuite.progress import show

    with show():
        diagnosis, page = diagnose(run, checkpoint, phase, chains, times, log_z, seed, device)
    click.echo(f"{verdict(diagnosis).title}.\n{page}")
