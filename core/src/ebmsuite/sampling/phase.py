"""A phase: one way of drawing samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from ebmsuite.energy import Energy, warn_if_rounded
from ebmsuite.memory import chunk_size
from ebmsuite.progress import progress
from ebmsuite.sampling.chains import Chains, Proposal, Start
from ebmsuite.sampling.fast import FastPath
from ebmsuite.sampling.kernel import Sampler, run, target_of
from ebmsuite.schedule import Schedule, at
from ebmsuite.space import Batch
from ebmsuite.tree import Tree, tree_map

__all__ = ["Draw", "Phase", "in_mode", "propose", "repeated", "watched"]

Each = Callable[[int, Any, Any], None]


class Draw(NamedTuple):
    """Where the chains of one draw ended."""

    x: Tensor
    condition: Tree
    """The condition that the chains ran with. For a buffer this is that of its chains, not that of the batch."""
    start: Start
    energy: Tensor | None
    """E [B] as the last step reported it (see `Sampler`); None without a step."""
    per_row: int = 1
    """Number of chains per row of the batch. The chains of a row follow one another in ``x``."""

    def rows(self, values: Tensor) -> Tensor:
        """The mean over the chains of each row: values [rows * chains, ...] -> [rows, ...]."""
        return values.reshape(-1, self.per_row, *values.shape[1:]).mean(1)


class Phase:
    """One way of drawing samples: energy + sampler + chains + steps.

    The trainer gives the energy; the recipe gives the rest under the name of the phase. ``nets`` is the mode of the
    nets while chains run in learning ("eval" turns dropout off); outside learning the mode is "eval". ``fast`` computes
    values and gradients.
    """

    def __init__(
        self,
        energy: Energy,
        sampler: Sampler,
        chains: Chains,
        steps: int | Schedule,
        nets: Literal["eval", "train"] = "eval",
        fast: FastPath | None = None,
    ) -> None:
        self.energy, self.chains, self.nets = energy, chains, nets
        self.fast = fast or FastPath(energy)
        self.watch: Callable[[Tensor], None] | None = None
        """Receives the start of the chains and their state after each step (`watched`)."""
        self._sampler, self._steps = sampler, steps
        self.set_step(0)

    def set_step(self, t: int) -> None:
        """Evaluate schedules at learning step ``t``. The loop calls this before every step."""
        self.sampler: Sampler = at(self._sampler, t)
        self.steps = round(self._steps(t)) if isinstance(self._steps, Schedule) else self._steps

    @property
    def sampling_steps(self) -> int:
        """Steps of a chain outside learning: the steps of learning times the burn-in of the chains."""
        return self.steps * self.chains.burn_in

    def draw(
        self,
        batch: Batch,
        rng: torch.Generator,
        condition: Tree = None,
        proposal: Start | None = None,
        graph: int = 0,
    ) -> Draw:
        """Run one chain per row of ``batch``, or `Chains.per_row` chains.

        The last ``graph`` steps keep their autograd graph, so the result is differentiable in the energy's parameters
        and, if these are all steps, in the start.
        """
        each = self.chains.per_row
        if each > 1:
            batch, condition = batch.repeat_interleave(each), repeated(condition, each)
            proposal = None if proposal is None else Start(*(repeated(v, each) for v in proposal))
        start = self.chains.start(len(batch), rng, batch, condition, proposal)
        x, energy = self._run(start, rng, self.steps, graph=graph, learning=True)
        self.chains.keep(start, x)
        return Draw(x, start.condition, start, energy, each)

    def sample(
        self,
        n: int,
        rng: torch.Generator,
        condition: Tree = None,
        proposal: Start | None = None,
        steps: int | None = None,
        each: Each | None = None,
        batch: int | None = None,
    ) -> Tensor:
        """``n`` samples outside learning, independent of those of another ``rng``; their chains are not kept.

        The chains run ``steps`` steps (default: `sampling_steps`), in chunks of ``batch`` to bound the memory (default:
        `chunk_size`). With the callback ``each``, or `watched`, all chains run at once.
        """
        start = self.chains.start(n, rng, None, condition, proposal)
        steps = self.sampling_steps if steps is None else steps
        return self.refine(start, rng, steps, each, batch or chunk_size(start.x.shape[1:], self.energy))

    def refine(
        self,
        start: Start,
        rng: torch.Generator,
        steps: int | None = None,
        each: Each | None = None,
        batch: int | None = None,
    ) -> Tensor:
        """Run chains from an explicit start, in chunks of ``batch``; all at once if it is None or ``each`` is given."""
        steps = self.steps if steps is None else steps
        if each is not None or self.watch is not None or batch is None or len(start.x) <= batch:
            return self._run(start, rng, steps, each=each)[0]
        ends = []
        with progress("samples", len(start.x)) as advance:
            for part in Batch(start.x, start.condition).parts(batch):
                ends.append(self._run(Start(part.x, part.condition), rng, steps)[0])
                advance(len(part.x))
        return torch.cat(ends)

    def _run(
        self,
        start: Start,
        rng: torch.Generator,
        steps: int,
        graph: int = 0,
        each: Each | None = None,
        learning: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        x, info = self.energy.place(start.x, start.condition), None
        if self.watch is not None:
            self.watch(x)
            each = _both(each, self.watch)
        with in_mode(self.energy, learning and self.nets == "train"):
            plain, kept = max(steps - graph, 0), min(graph, steps)
            if plain:
                if learning:
                    self.fast.choose(x, start.condition, steps)
                target = self.fast.target(x, start.condition)
                with torch.no_grad():
                    state, info = run(self.sampler, target, x, plain, rng, each)
                x = state.x
            if kept:
                target = target_of(self.energy, x, start.condition, graph=True)
                state, info = run(self.sampler, target, x, kept, rng, each)
                x = state.x
        # a Metropolis test compares energies; in learning the stability guard watches them, without a wait here
        if self.sampler.adjusted and info is not None and not learning:
            warn_if_rounded(info.energy.detach(), f"the Metropolis test of {type(self.sampler).__name__}")
        return x, None if info is None else info.energy.detach()


def propose(phases: Mapping[str, Phase], name: str, source: Callable[[int, torch.Generator, Tree], Start]) -> None:
    """Let chains of kind `Proposal` of the phase ``name``, if it exists, start from ``source`` outside learning."""
    chains = phases[name].chains if name in phases else None
    if isinstance(chains, Proposal):
        chains.source = source


@contextmanager
def watched(phases: Mapping[str, Phase], look: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Within the block, call ``look(name of the phase, x)`` for every start and state of its chains, in their order."""
    for name, phase in phases.items():
        phase.watch = partial(look, name)
    try:
        yield
    finally:
        for phase in phases.values():
            phase.watch = None


def _both(each: Each | None, watch: Callable[[Tensor], None]) -> Each:
    def call(i: int, state: Any, info: Any) -> None:
        watch(state.x)
        if each is not None:
            each(i, state, info)

    return call


def repeated(tree: Tree, times: int) -> Tree:
    """Every row of a tree ``times`` times, one after the other."""
    return tree_map(lambda v: v.repeat_interleave(times, 0), tree)


@contextmanager
def in_mode(net: torch.nn.Module, train: bool) -> Iterator[None]:
    """Put the net in train or eval mode during the block, then restore the mode of each module."""
    was = [(m, m.training) for m in net.modules() if m.training != train]
    for module, _ in was:
        module.training = train
    try:
        yield
    finally:
        for module, mode in was:
            module.training = mode
