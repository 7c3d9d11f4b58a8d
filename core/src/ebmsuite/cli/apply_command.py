from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("task")
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--input", "inputs", type=click.Path(path_type=Path), help="File or folder that the task reads.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File or folder to write.")
@click.option("--seed", default=0, show_default=True, help="Seed of the random numbers.")
@click.option("--checkpoint", help='"best" or a step (default: the newest checkpoint).')
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:1.")
def command(
    run: Path,
    task: str,
    settings: tuple[str, ...],
    inputs: Path | None,
    out: Path,
    seed: int,
    checkpoint: str | None,
    device: str,
) -> None:
    """Use the model of RUN for TASK. `ebm list task` lists the tasks; KEY=VALUE sets a setting of the task."""
    from ebmsuite.experiment.recipe import parse_setting
    from ebmsuite.files import printable
    from ebmsuite.model import apply
    from ebmsuite.progress import show

    chosen = dict(map(parse_setting, settings))
    with show():
        facts = apply(run, task, inputs, out=out, seed=seed, checkpoint=checkpoint, device=device, settings=chosen)
    for name, value in facts.items():
        click.echo(f"{name}: {value:.6g}" if isinstance(value, float) else f"{name}: {value}")
    click.echo(printable(out))
