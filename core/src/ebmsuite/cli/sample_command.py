from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-n", "count", type=int,
    help="Number of samples (default: 64). With --from or --condition: number of conditions (default: 64 examples, "
    "or all rows of the file).",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path), required=True,
    help="File or folder to write. The ending sets the format: .safetensors, .npy or one of the domain (.png, ...).",
)  # fmt: skip
@click.option("--from", "split", metavar="SPLIT", help="Draw conditions from a split of the run's data, such as test.")
@click.option(
    "--condition", "file", type=click.Path(path_type=Path), metavar="FILE",
    help="Read conditions from a file: .safetensors, .npy, .npz, or a file that the run's codec reads.",
)  # fmt: skip
@click.option("-k", "each", type=int, help="Samples per condition (default: 1).")
@click.option(
    "--temperature", default=1.0, show_default=True,
    help="Temperature of the draws of a decoder of discrete events, such as text.",
)  # fmt: skip
@click.option("--likeliest", is_flag=True, help="Decode the likeliest discrete event instead of drawing one.")
@click.option("--seed", default=0, show_default=True, help="Seed of the random numbers.")
@click.option("--checkpoint", help='"best" or a step (default: the newest checkpoint).')
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:1.")
def command(
    run: Path, count: int | None, out: Path, split: str | None, file: Path | None, each: int | None,
    temperature: float, likeliest: bool, seed: int, checkpoint: str | None, device: str,
) -> None:  # fmt: skip
    """Draw samples from the model of RUN and write them to a file.

    A conditional model gets its conditions from --from or --condition. The samples of one condition follow each other.
    """
    from ebmsuite.conditions import chosen, or_name_the_options
    from ebmsuite.files import printable
    from ebmsuite.model import load
    from ebmsuite.progress import show

    given = split is not None or file is not None
    for option, value in (("-n", count), ("-k", each)):
        if value is not None and value < 1:
            raise click.UsageError(f"{option}: must be at least 1, got {value}")
    if each is not None and not given:
        raise click.UsageError(
            "-k: the number of samples per condition; add --from SPLIT or --condition FILE, or use -n"
        )
    k = each or 1
    model = load(run, checkpoint, device)
    conditions = chosen(model, split, file, count if file is not None else count or 64)
    with show():
        if conditions is None:
            with or_name_the_options(model):
                x = model.sample(count or 64, seed, temperature=temperature, likeliest=likeliest)
        else:
            rng = model.generator(seed)
            x = model.sample_for(conditions.batch, k, rng, temperature, likeliest).flatten(0, 1)
    model.write(x, out, None if conditions is None else conditions.batch.repeat_interleave(k))
    if conditions is not None:
        click.echo(f"conditions: {conditions.source}\nsamples per condition: {k}")
    click.echo(printable(out))
