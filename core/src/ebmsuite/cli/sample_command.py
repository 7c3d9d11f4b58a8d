from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-n", "count", default=64, show_default=True, help="Number of samples.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True,
    help="File or folder to write. The ending sets the format: .safetensors, .npy or one of the domain (.png, ...).",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Seed of the random numbers.")
@click.option("--checkpoint", help='"best" or a step (default: the newest checkpoint).')
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:1.")
def command(run: Path, count: int, out: Path, seed: int, checkpoint: str | None, device: str) -> None:
    """Draw samples from the model of RUN and write them to a file."""
    from ebmsuite.files import printable
    from ebmsuite.model import load
    from ebmsuite.progress import show

    if count < 1:
        raise click.UsageError(f"-n: must be at least 1, got {count}")
    model = load(run, checkpoint, device)
    with show():
        x = model.sample(count, seed)
    model.write(x, out)
    click.echo(printable(out))
