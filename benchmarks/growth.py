"""Growth of the time per step and of the peak memory with chains, steps, dimension and batch.

chains     up to a million chains in 2-D on eight Gaussians, with `Phase.sample`, which runs them in parts
steps      10,000 chains with increasing numbers of steps: memory must not grow
dimension  1,000 chains on a rotated Gaussian with condition number 100, whose energy is a matrix product
pictures   up to 10,000 chains of 1x28x28 on a net with 56,769 parameters, with `Phase.sample`

Every point runs in a separate process, which gives its peak memory. All chains use Langevin dynamics and keep no
history.

    uv run --isolated --no-dev --group bench python benchmarks/growth.py
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from common import Options, Table, in_child, memory_of, options, report, timed
from methods import convnet

from ebmsuite.density import Uniform
from ebmsuite.energy import Energy
from ebmsuite.sampling import Langevin, Noise, Phase
from ebmsuite.sampling.fast import channels_last
from ebmsuite.space import Space
from ebmsuite_toy.densities import IllConditioned, eight_gaussians

TITLES = {
    "chains": "2-D walkers on eight Gaussians",
    "steps": "Longer chains of 10,000 2-D walkers",
    "dimension": "Dimension: 1,000 chains on a rotated Gaussian",
    "pictures": "Chains of 1x28x28 on a ConvNet of 56,769 parameters",
}


class Point(NamedTuple):
    """The work of one process."""

    chains: int
    steps: int
    dim: int = 2
    whole: bool = False
    """Whether all chains run at once, as in training, instead of in the parts of `Phase.sample`."""


def points(case: str, quick: bool) -> list[Point]:
    if case == "chains":
        steps, most = (5, 100_000) if quick else (100, 1_000_000)
        counts = [n for n in (100, 1000, 10_000, 100_000, 1_000_000) if n <= most]
        return [*(Point(n, steps) for n in counts), Point(most, steps, whole=True)]
    if case == "steps":
        return [Point(10_000, k) for k in ((10, 100) if quick else (10, 100, 1000, 10_000))]
    if case == "dimension":
        return [Point(1000, 100, d) for d in ((2, 200) if quick else (2, 20, 200, 2000))]
    return [Point(n, 5 if quick else 50) for n in ((64, 256) if quick else (64, 256, 1000, 4000, 10_000))]


def main() -> None:
    opts = options(__doc__ or "", list(TITLES))
    if opts.child is not None:
        case, _, text = opts.child.partition(":")
        print(json.dumps(measured(case, Point(*json.loads(text)), opts)))
        return
    report(opts, [table(case, opts) for case in opts.cases])


def table(case: str, opts: Options) -> Table:
    found = [in_child(__file__, f"{case}:{json.dumps(point)}", opts) for point in points(case, opts.quick)]
    note = "Added is the peak minus the memory of the process before the first step (torch and the nets)."
    return Table(TITLES[case], found, note)


def measured(case: str, point: Point, opts: Options) -> dict[str, Any]:
    """Measure one point: the memory in the first run, and the seconds of ``rounds`` further runs if it is short."""
    sampling(case, point._replace(chains=2), opts.device)(1)  # allocate what torch sets up once
    work = sampling(case, point, opts.device)
    memory: dict[str, float] = {}
    seconds = [timed(lambda: memory.update(memory_of(lambda: work(point.steps), opts.device)), opts.device)]
    if seconds[0] < 20:
        seconds = [timed(lambda: work(point.steps), opts.device) for _ in range(opts.rounds)]
    middle = statistics.median(seconds)
    return {
        "chains": point.chains,
        "at a time": "all" if point.whole else "parts",
        "dimension": 784 if case == "pictures" else point.dim,
        "steps": point.steps,
        "s": middle,
        "us / step": 1e6 * middle / point.steps,
        "ns / chain and step": 1e9 * middle / point.steps / point.chains,
        **memory,
        "_s": seconds,
    }


def sampling(case: str, point: Point, device: str) -> Callable[[int], object]:
    """A function that runs all chains for a number of steps and drops the samples."""
    energy: Energy
    if case == "pictures":
        energy, space, sampler = convnet(device), Space((1, 28, 28)), Langevin(gradient_weight=1.0, noise_scale=0.01)
        channels_last(energy)  # as recipes build it
    else:
        energy = (eight_gaussians() if case != "dimension" else IllConditioned(point.dim)).to(device)
        space, sampler = Space((point.dim,)), Langevin(step_size=0.05)
    phase = Phase(energy, sampler, Noise(Uniform(space)), point.steps)
    rng = torch.Generator(device).manual_seed(0)
    batch = point.chains if point.whole else None
    return lambda steps: phase.sample(point.chains, rng, steps=steps, batch=batch)


if __name__ == "__main__":
    main()
