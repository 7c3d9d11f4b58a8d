"""Time of a Langevin step, compared with its lower bound (the floor), a bare loop, TorchEBM and blackjax.

mixture  10,000 chains on eight Gaussians in 2-D, from stationary states, 1,000 steps
convnet  64 chains of 1x28x28 on a net with 56,769 parameters, 50 steps
vectors  1,000 chains of 40 numbers on a multilayer perceptron, also clamped, 50 steps
bowl     16 chains of 2 numbers on |x|^2 / 2, to measure the overhead per step

    uv run --isolated --no-dev --group bench python benchmarks/langevin.py
"""

from __future__ import annotations

import copy
import statistics

import torch
from common import Method, Options, Table, installed, options, paired, report, rows
from methods import Bowl, bare_loop, convnet, gradients, just_run, ours, path_of
from torch import Tensor

from ebmsuite.energy import Clamped, Energy
from ebmsuite.nets.mlp import mlp_energy
from ebmsuite.sampling import MALA, Langevin, Phase, Proposal, Start
from ebmsuite.sampling.fast import Mode, channels_last
from ebmsuite.space import Batch, Space
from ebmsuite_toy.densities import eight_gaussians

FLOOR, BARE = "floor: forward + input gradient", "bare loop"
NOISY = "floor and normal noise"


def main() -> None:
    cases = {"mixture": mixture, "convnet": pictures, "vectors": vectors, "bowl": bowl}
    opts = options(__doc__ or "", list(cases))
    report(opts, [cases[name](opts) for name in opts.cases])


def routes(opts: Options) -> tuple[Mode, ...]:
    """The fast paths that the device supports."""
    return ("compiled", "graphed") if opts.device == "cuda" else ("compiled",)


def mixture(opts: Options) -> Table:
    chains, steps, h = 10_000, 100 if opts.quick else 1000, 0.05
    energy = eight_gaussians().to(opts.device)
    x = energy.sample(chains, torch.Generator(opts.device).manual_seed(0))
    sampler = Langevin(step_size=h)
    w, n = sampler.weights()
    points = path_of(energy, sampler, x, steps)
    methods = [
        Method(FLOOR, gradients(energy, points), steps),
        Method(NOISY, gradients(energy, points, noise=True), steps),
        Method(BARE, bare_loop(energy, x, steps, w, n), steps),
        Method("ours: langevin", ours(energy, sampler, x, steps), steps),
        *(Method(f"ours: langevin, {r}", ours(energy, sampler, x, steps, r), steps) for r in routes(opts)),
        Method("ours: mala", ours(energy, MALA(h), x, steps), steps + 1),
        *(Method(f"ours: mala, {r}", ours(energy, MALA(h), x, steps, r), steps + 1) for r in routes(opts)),
        *torchebm(energy, x, steps, w, n),
        *blackjax(energy, x, steps, w, opts),
    ]
    title = f"Mixture of 8 Gaussians: {chains:,} chains x {steps:,} steps, from the stationary state"
    return Table(title, rows(methods, paired(methods, opts), FLOOR, BARE), missing())


def pictures(opts: Options) -> Table:
    chains, steps, w, n = 64, 10 if opts.quick else 50, 1.0, 0.01
    energy = convnet(opts.device)
    x = torch.rand((chains, 1, 28, 28), device=opts.device) * 2 - 1
    sampler = Langevin(gradient_weight=w, noise_scale=n)
    points = path_of(energy, sampler, x, steps)
    ordered = copy.deepcopy(energy)
    channels_last(ordered)
    half = copy.deepcopy(ordered)
    half.autocast = torch.bfloat16
    methods = [
        Method(FLOOR, gradients(energy, points), steps),
        Method(NOISY, gradients(energy, points, noise=True), steps),
        Method("floor, channels-last", gradients(ordered, points), steps),
        Method("floor, channels-last, bf16", gradients(half, points), steps),
        Method(BARE, bare_loop(energy, x, steps, w, n), steps),
        Method("ours: langevin", ours(energy, sampler, x, steps), steps),
        Method("ours: langevin, channels-last (as recipes build it)", ours(ordered, sampler, x, steps), steps),
        Method("ours: langevin, channels-last, bf16", ours(half, sampler, x, steps), steps),
        *(Method(f"ours: langevin, {r}", ours(ordered, sampler, x, steps, r), steps) for r in routes(opts)),
        *(Method(f"ours: langevin, {r}, bf16", ours(half, sampler, x, steps, r), steps) for r in routes(opts)),
        Method("ours: mala, channels-last", ours(ordered, MALA(n), x, steps), steps + 1),
        *torchebm(energy, x, steps, w, n),
    ]
    note = (
        "blackjax has no row, because the net would need a second implementation in jax, and the numbers would compare "
        "the convolutions of XLA and oneDNN instead of two samplers."
    )
    note = f"{note} {missing()}".strip()
    title = f"ConvNet, 56,769 parameters: {chains} chains of 1x28x28 x {steps} steps"
    return Table(title, rows(methods, paired(methods, opts), FLOOR, BARE), note)


def vectors(opts: Options) -> Table:
    chains, size, steps, h = 1000, 40, 10 if opts.quick else 50, 0.1
    energy = mlp_energy(Space((size,)), reference_sd=1.0).to(opts.device)
    x, sampler = torch.randn((chains, size), device=opts.device), Langevin(step_size=h)
    condition = (x, torch.rand((chains, size), device=opts.device) < 0.5, None)
    phase, batch, start = Phase(Clamped(energy), sampler, Proposal(), steps), Batch(x), Start(x, condition)
    rng = torch.Generator(opts.device).manual_seed(0)
    w, n = sampler.weights()
    points = path_of(energy, sampler, x, steps)
    methods = [
        Method(FLOOR, gradients(energy, points), steps),
        Method(NOISY, gradients(energy, points, noise=True), steps),
        Method(BARE, bare_loop(energy, x, steps, w, n), steps),
        Method("ours: Phase.draw", ours(energy, sampler, x, steps), steps),
        Method("ours: Phase.draw, half clamped", lambda: phase.draw(batch, rng, condition, start), steps),
    ]
    title = f"Multilayer perceptron: {chains:,} chains of {size} numbers x {steps} steps"
    return Table(title, rows(methods, paired(methods, opts), FLOOR, BARE))


def bowl(opts: Options) -> Table:
    chains, steps, h = 16, 200 if opts.quick else 2000, 0.1
    energy = Bowl()
    x = torch.randn((chains, 2), device=opts.device)
    sampler = Langevin(step_size=h)
    w, n = sampler.weights()
    methods = [
        Method(FLOOR, gradients(energy, path_of(energy, sampler, x, steps)), steps),
        Method(BARE, bare_loop(energy, x, steps, w, n), steps),
        Method("ours: run", just_run(energy, sampler, x, steps), steps),
        Method("ours: Phase.draw", ours(energy, sampler, x, steps), steps),
        Method("ours: mala", ours(energy, MALA(h), x, steps), steps + 1),
        *[m for m in torchebm(energy, x, steps, w, n) if "compile" not in m.name],
    ]
    seconds = paired(methods, opts)
    floor, found = seconds[FLOOR], []
    for row in rows(methods, seconds, FLOOR, BARE):
        over = [1e6 * (a - b) for a, b in zip(row["_s a step"], floor, strict=True)]
        found.append(
            {**row, "over the floor, us (median)": statistics.median(over), "over the floor, us (min)": min(over)}
        )
    return Table(f"Overhead: {chains} chains of 2 numbers x {steps:,} steps", found, missing())


def torchebm(energy: Energy, x: Tensor, steps: int, w: float, n: float) -> list[Method]:
    """`LangevinDynamics` with defaults, with diagnostics, and on a compiled energy."""
    if not installed("torchebm"):
        return []
    import torchebm_peer as peer

    return [
        Method("torchebm", peer.langevin(energy, x, steps, w, n), steps),
        Method("torchebm, return_diagnostics", peer.langevin(energy, x, steps, w, n, diagnostics=True), steps),
        Method("torchebm, torch.compile(energy)", peer.langevin(energy, x, steps, w, n, compiled=True), steps),
    ]


def blackjax(energy: Energy, x: Tensor, steps: int, w: float, opts: Options) -> list[Method]:
    """The samplers of blackjax, on the CPU only: the default wheels of jax do not support CUDA."""
    if not installed("blackjax") or opts.device != "cpu":
        return []
    import blackjax_peer as peer

    return [
        Method("blackjax: sgld", peer.sgld(energy, x, steps, w), steps),
        Method("blackjax: mala", peer.mala(energy, x, steps, w), steps + 1),
    ]


def missing() -> str:
    """A note that names the packages that are not installed; empty if there are none."""
    gone = [name for name in ("torchebm", "blackjax") if not installed(name)]
    return f"Not installed: {', '.join(gone)} (uv run --isolated --no-dev --group bench)." if gone else ""


if __name__ == "__main__":
    main()
