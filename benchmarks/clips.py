"""Time of a Langevin step on film clips, compared with its lower bound (the floor), and its memory.

sea        3 chains of 3x32x48x48 on the network of video/sea-mle, 3 steps
published  3 chains of 3x70x100x100 on the published network, stationary in space and time, 1 step; memory

    uv run --isolated --no-dev --group bench python benchmarks/clips.py
"""

from __future__ import annotations

import json

import torch
from common import Options, Table, in_child, memory_of, options, report
from compared import compared
from methods import gradients

from ebmsuite.energy import Energy
from ebmsuite.space import Space
from ebmsuite_video.energies import GREY, st_convnet

STEP = 0.3 / GREY
WEIGHT = STEP**2 / 2
SEA, PUBLISHED = (3, 32, 48, 48), (3, 70, 100, 100)


def main() -> None:
    cases = {"sea": sea, "published": published}
    opts = options(__doc__ or "", list(cases))
    if opts.child:
        energy = st_convnet(Space(PUBLISHED), "space-time", edges="zeros").to(opts.device)
        print(json.dumps(memory_of(gradients(energy, [clips(PUBLISHED, opts)]), opts.device)))
        return
    report(opts, [cases[name](opts) for name in opts.cases])


def clips(shape: tuple[int, ...], opts: Options) -> torch.Tensor:
    return torch.randn(3, *shape, device=opts.device) / GREY


def table(title: str, energy: Energy, shape: tuple[int, ...], steps: int, opts: Options) -> Table:
    return compared(title, energy.to(opts.device), clips(shape, opts), steps, WEIGHT, opts)


def sea(opts: Options) -> Table:
    kernels, strides = ((4, 6, 6), (4, 0, 0), (2, 1, 1)), ((2, 3, 3), 1, 1)
    energy = st_convnet(Space(SEA), "time", (40, 30, 5), kernels, strides)
    return table("3 clips of 3x32x48x48, video/sea-mle", energy, SEA, 1 if opts.quick else 3, opts)


def published(opts: Options) -> Table:
    energy = st_convnet(Space(PUBLISHED), "space-time", edges="zeros")
    made = table("3 clips of 3x70x100x100, published network", energy, PUBLISHED, 1, opts)
    made.rows[0] |= in_child(__file__, "published", opts)
    return made


if __name__ == "__main__":
    main()
