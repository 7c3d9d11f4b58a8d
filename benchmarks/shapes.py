"""Time of a Langevin step on voxel grids and point clouds, compared with its lower bound (the floor), and its memory.

small      25 chains of 32^3 voxels on a small network, 5 steps
published  25 chains of 32^3 voxels on the published network, 1 step
clouds     128 clouds of 512 points on the network of shape3d/clouds, with and without normalisation, 2 steps
points     16 clouds of 2,048 points on the published PointNet, with and without normalisation, 1 step; memory

    uv run --isolated --no-dev --group bench python benchmarks/shapes.py
"""

from __future__ import annotations

import json

import torch
from common import Method, Options, Table, in_child, memory_of, options, paired, report, rows
from compared import FLOOR, compared, note
from methods import gradients, ours

from ebmsuite.energy import Energy
from ebmsuite.sampling import Langevin
from ebmsuite.space import Space
from ebmsuite_shape3d.nets import pointnet, voxelnet

GRID, BOX = Space((1, 32, 32, 32)), (-1.0, 1.0)


def main() -> None:
    cases = {"small": small, "published": published, "clouds": clouds, "points": points}
    opts = options(__doc__ or "", list(cases))
    if opts.child:
        print(json.dumps(memory_of(work_of(opts.child), opts.device)))
        return
    report(opts, [cases[name](opts) for name in opts.cases])


def small(opts: Options) -> Table:
    energy = voxelnet(
        GRID, widths=(32, 64), kernels=(5, 4), strides=(2, 2), activation="silu", init_sd=None
    ).to(opts.device)  # fmt: skip
    x, steps = torch.randn(25, 1, 32, 32, 32, device=opts.device) * 0.3, 1 if opts.quick else 5
    return compared(f"25 chains of 32^3, small network, {steps} steps", energy, x, steps, 0.005, opts)


def published(opts: Options) -> Table:
    x = torch.randn(25, 1, 32, 32, 32, device=opts.device) * 0.3
    return compared("25 chains of 32^3, published network", voxelnet(GRID).to(opts.device), x, 1, 0.005, opts)


def clouds(opts: Options) -> Table:
    steps, x = 1 if opts.quick else 2, torch.randn(128, 512, 3, device=opts.device) * 0.3
    nets = {norm: small_pointnet(512, norm).to(opts.device) for norm in (False, True)}
    sampler = Langevin(gradient_weight=0.005, noise_scale=0.01)
    methods = []
    for norm, energy in nets.items():
        ending = ", normalised" if norm else ""
        methods += [
            Method(FLOOR + ending, gradients(energy, [x] * steps), steps),
            Method(f"ours: langevin{ending}", ours(energy, sampler, x, steps), steps),
        ]
    return Table("128 clouds of 512 points", rows(methods, paired(methods, opts), FLOOR, None), note(nets[False]))


def points(opts: Options) -> Table:
    x = torch.randn(16, 2048, 3, device=opts.device) * 0.3
    methods = []
    for norm in (False, True):
        energy = pointnet(Space((2048, 3), BOX), norm=norm).to(opts.device)
        methods.append(Method(FLOOR + (", normalised" if norm else ""), gradients(energy, [x]), 1))
    found = rows(methods, paired(methods, opts), FLOOR, None)
    for row, norm in zip(found, ("plain", "norm"), strict=True):
        row |= in_child(__file__, norm, opts)
    return Table("16 clouds of 2,048 points, published PointNet", found, note(energy))


def small_pointnet(n: int, norm: bool) -> Energy:
    return pointnet(Space((n, 3), BOX), local=(64, 128), pooled=(64,), activation="silu", norm=norm, per=0.2)


def work_of(child: str):  # type: ignore[no-untyped-def]
    energy = pointnet(Space((2048, 3), BOX), norm=child == "norm")
    return gradients(energy, [torch.randn(16, 2048, 3) * 0.3])


if __name__ == "__main__":
    main()
