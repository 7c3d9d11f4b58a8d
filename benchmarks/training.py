"""Time of a complete learning step relative to its lower bound (the floor), and its peak memory.

digits  the recipe image/digits-short-run: a ConvNet on 1x28x28, chains from noise
rings   the recipe toy/rings: a multilayer perceptron in 2-D, persistent chains

The floor is K x (forward + input gradient) at the points of a chain, plus one forward and backward pass over twice the
batch. A step also loads the batch, initialises chains, draws noise, updates weights and moving averages, and logs.

    uv run --isolated --no-dev --group bench python benchmarks/training.py
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

import torch
from common import Method, Options, Table, in_child, installed, memory_of, options, paired, report, rows
from methods import gradients, path_of
from torch import Tensor

from ebmsuite.experiment.build import Experiment, pick_device
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.plugins.registry import Registry
from ebmsuite.ranks import Ranks
from ebmsuite.schedule import value_at
from ebmsuite.space import Batch

FLOOR, OURS, PEER = "floor: K gradients + one update's passes", "ours", "torchebm: ContrastiveDivergence"
CASES = {
    "digits": ("image/digits-short-run", {OURS: (), "ours, bf16": ("precision=bf16",)}),
    "rings": ("toy/rings", {OURS: (), "ours, compiled": ("fast=compiled",)}),
}
"""Case -> the recipe, and the changes to it for each of our rows."""
CUDA = {"ours, graphed": ("fast=graphed",)}
"""The additional row on CUDA."""


def main() -> None:
    opts = options(__doc__ or "", list(CASES))
    if opts.child is not None:
        print_memory(opts.child, opts)
        return
    report(opts, [table(name, opts) for name in opts.cases])


def variants_of(name: str, opts: Options) -> tuple[str, dict[str, tuple[str, ...]]]:
    recipe, variants = CASES[name]
    return recipe, variants | (CUDA if opts.device == "cuda" else {})


def table(name: str, opts: Options) -> Table:
    recipe, variants = variants_of(name, opts)
    base = Case(recipe, (), opts)
    methods = [Method(FLOOR, base.floor(), base.times)]
    methods += [Method(row, Case(recipe, changes, opts).learning(), base.times) for row, changes in variants.items()]
    if installed("torchebm"):
        methods.append(Method(PEER, base.torchebm(), base.times))
    found = rows(methods, paired(methods, opts), FLOOR, None)
    for row in found:
        row.update(in_child(__file__, f"{name}:{row['method']}", opts))
    peer = "torchebm starts chains at the data (CD-k), ours as in the recipe; both use K steps, Adam and no L2."
    title = f"{recipe}: batch {base.batch}, K = {base.steps}, {base.parameters:,} parameters"
    return Table(title, found, f"{peer} Memory is that of a process that runs only these steps, including torch.")


def print_memory(child: str, opts: Options) -> None:
    """Measure the peak memory of one row in this process, and print it as a line of JSON."""
    name, _, method = child.partition(":")
    recipe, variants = variants_of(name, opts)
    case = Case(recipe, variants.get(method, ()), opts)
    work = {FLOOR: case.floor, PEER: case.torchebm}.get(method, case.learning)()
    print(json.dumps(memory_of(work, opts.device)))


class Case:
    """A recipe, built as `ebm train` builds it. A run of the benchmark is ``times`` learning steps."""

    def __init__(self, recipe: str, changes: Sequence[str], opts: Options) -> None:
        registry = Registry()
        overrides = ("fast=eager", *changes) if not any(c.startswith("fast") for c in changes) else changes
        self.recipe = read_recipe(recipe, registry, [f"compute.{c}" for c in overrides])
        self.experiment = Experiment.with_data(self.recipe, registry, pick_device(opts.device), Ranks())
        self.experiment.set_step(0)
        self.energy = self.experiment.trainer.players["energy"]
        self.phase = self.experiment.trainer.phases["negative"]
        self.steps, self.batch = self.phase.steps, self.recipe.budget.batch
        self.parameters = sum(p.numel() for p in self.energy.parameters())
        self.times = 2 if opts.quick else 10
        self.rng = torch.Generator(self.experiment.device).manual_seed(0)
        self.t = 0

    def data(self) -> Batch:
        """The batch of the current step."""
        return self.experiment.streams["data"].batch(self.t).to(self.experiment.device)

    def learning(self) -> Callable[[], None]:
        """The body of the suite's training loop."""

        def work() -> None:
            for _ in range(self.times):
                self.experiment.set_step(self.t)
                self.experiment.trainer.step(self.t, {"data": self.data()}, self.rng)
                self.t += 1

        return work

    def floor(self) -> Callable[[], None]:
        """The floor, on a copy of the net, so that the net does not change."""
        energy, data = copy.deepcopy(self.energy), self.data().x
        start = self.phase.chains.start(self.batch, self.rng, Batch(data)).x
        chain = gradients(energy, path_of(energy, self.phase.sampler, start, self.steps))
        both, parameters = torch.cat([data, start]), list(energy.parameters())

        def work() -> None:
            for _ in range(self.times):
                chain()
                torch.autograd.grad(energy(both).sum(), parameters)

        return work

    def torchebm(self) -> Callable[[], Any]:
        """TorchEBM with the same net, batch, chain length, sampler and learning rate."""
        import torchebm_peer as peer

        x: Tensor = self.data().x
        w, n = self.phase.sampler.weights()
        lr = value_at(self.recipe.optimisers["energy"]["lr"], 0)
        return peer.learning(copy.deepcopy(self.energy), x, self.steps, w, n, lr, self.times)


if __name__ == "__main__":
    main()
