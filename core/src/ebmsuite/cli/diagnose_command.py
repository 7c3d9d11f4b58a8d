from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--phase", help="Phase whose chains are diagnosed (default: the first that draws events).")
@click.option("-n", "chains", default=64, show_default=True, help="Number of chains per initialisation.")
@click.option(
    "--times", default=100, show_default=True, help="Length of the longest chains, in multiples of that in training."
)
@click.option(
    "--log-z/--no-log-z",
    default=None,
    help="Estimate log Z by annealed importance sampling (default: only for events of up to 50 numbers).",
)
@click.option(
    "--from", "split", metavar="SPLIT", help="Split of the held-out examples and their conditions (default: test)."
)
@click.option(
    "--condition", "file", type=click.Path(path_type=Path), metavar="FILE",
    help="Run the chains with the conditions of a file, as in `ebm sample`.",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Seed of the random numbers.")
@click.option("--checkpoint", help='"best" or a step (default: the newest checkpoint).')
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:1.")
def command(
    run: Path, phase: str | None, chains: int, times: int, log_z: bool | None, split: str | None, file: Path | None,
    seed: int, checkpoint: str | None, device: str,
) -> None:  # fmt: skip
    """Check whether the chains of RUN converge and what its energy means, and write RUN/diagnosis.html."""
    from ebmsuite.diagnosis import diagnose
    from ebmsuite.diagnosis.words import verdict
    from ebmsuite.progress import show

    with show():
        diagnosis, page = diagnose(
            run, checkpoint, phase, chains, times, log_z, seed, device, split=split, condition=file,
            say=lambda text: click.echo(text, err=True),
        )  # fmt: skip
    if diagnosis.conditions:
        click.echo(f"conditions: {diagnosis.conditions}")
    click.echo(f"{verdict(diagnosis).title}.\n{page}")
