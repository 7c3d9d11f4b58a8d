from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-n", "count", default=64, show_default=True, help="Number of samples.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True,
    help="What the ending says: .safetensors, .npy, or the domain's own formats (.png, a folder, ...).",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True)
@click.option("--checkpoint", help='"best", or a step; the newest unless said.')
@click.option("--device", default="auto", show_default=True)
def command(run: Path, count: int, out: Path, seed: int, checkpoint: str | None, device: str) -> None:
    """Draw from the model of RUN."""
    from ebmsuite.files import printable
    from ebmsuite.model import load
    from ebmsuite.progress import show

    if count < 1:
        raise click.UsageError(f"-n: at least 1, got {count}")
    model = load(run, checkpoint, device)
    with show():
        x = model.sample(count, seed)
    model.write(x, out)
    click.echo(printable(out))
