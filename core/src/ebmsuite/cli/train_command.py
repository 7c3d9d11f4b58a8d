from __future__ import annotations

import os
from pathlib import Path

import click


@click.command()
@click.argument("words", nargs=-1, metavar="[RECIPE] [KEY=VALUE]...")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder (default: runs/RECIPE).")
@click.option("--resume", type=click.Path(path_type=Path), help="Resume the run in this folder.")
@click.option("--budget", help="A budget of the recipe, such as quick or full (default: the recipe unchanged).")
@click.option("--device", help="auto, cpu, cuda or cuda:1.")
@click.option("--precision", help="fp32 or bf16 (bf16 applies to nets only).")
@click.option("--devices", type=int, help="Number of processes on this machine.")
@click.option("--seed", type=int, help="Seed of weights, data order and chains (default: that of the recipe, else 0).")
@click.option("--allow-changed-data", is_flag=True, help="With --resume: accept examples that differ from the run's.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(
    words: tuple[str, ...],
    out: Path | None,
    resume: Path | None,
    budget: str | None,
    device: str | None,
    precision: str | None,
    devices: int | None,
    seed: int | None,
    allow_changed_data: bool,
    quiet: bool,
) -> None:
    """Train RECIPE, a name or a YAML file. KEY=VALUE changes a key of the recipe.

    KEY can be shortened to a unique ending: `ebm train image/digits energy.lr=1e-4 budget.steps=200`.
    """
    import torch.distributed as dist

    from ebmsuite.experiment.launch import place
    from ebmsuite.experiment.train import train
    from ebmsuite.files import printable

    names = [w for w in words if _names_a_recipe(w)]
    if not names and resume is None:  # without another recipe, a word such as a=b.yaml names a recipe file
        names = [w for w in words if w.endswith((".yaml", ".yml"))]
    overrides = [w for w in words if w not in names]
    if len(names) > 1:
        raise click.UsageError(f"one recipe at a time, got {' and '.join(names)}; settings are KEY=VALUE")
    options = {"device": device, "precision": precision, "devices": devices}
    overrides += [f"compute.{k}={v}" for k, v in options.items() if v is not None]
    if seed is not None:
        overrides.append(f"seed={seed}")
    try:
        folder = train(
            names[0] if names else None, *overrides, out=out, resume=resume, budget=budget, quiet=quiet,
            allow_changed_data=allow_changed_data,
        )  # fmt: skip
    finally:
        if dist.is_available() and dist.is_initialized():
            dist.destroy_process_group()
    found = place()
    if found is None or (found.rank == 0 and "EBMSUITE_LAUNCHED" not in os.environ):
        click.echo(printable(folder))


def _names_a_recipe(word: str) -> bool:
    return "=" not in word or Path(word).is_file()
