from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("task")
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--input", "inputs", type=click.Path(path_type=Path), help="The user's file or folder.")
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--checkpoint", help='"best", or a step; the newest unless said.')
@click.option("--device", default="auto", show_default=True)
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
    """Put the model of RUN to TASK (see `ebm list task`); KEY=VALUE are the task's settings."""
    from ebmsuite.errors import DataError
    from ebmsuite.files import printable
    from ebmsuite.model import load
    from ebmsuite.progress import show
    from ebmsuite.recipe import parse_setting
    from ebmsuite.registry import Registry

    registry = Registry()
    spec = registry.fill("task", {"name": task, **dict(map(parse_setting, settings))}, task)
    if inputs is not None and not inputs.exists():
        raise DataError(f"{printable(inputs)}: no such file or folder")
    model = load(run, checkpoint, device, registry)
    with show():
        facts = registry.build("task", spec)(model, inputs, out, model.generator(seed))
    for name, value in facts.items():
        click.echo(f"{name}: {value:.6g}" if isinstance(value, float) else f"{name}: {value}")
    click.echo(printable(out))
