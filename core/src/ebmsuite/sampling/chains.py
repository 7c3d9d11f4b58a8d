"""Where chains start and what is kept of their ends.

================  =====================================  ==========================================
kind              starts at                              known as
================  =====================================  ==========================================
`Noise`           new draws of a density                 short-run, non-persistent
`Data`            the examples                           contrastive divergence
`Buffer`          where other chains ended               persistent contrastive divergence
`Memory`          where this example's chain ended       warm-started inference
`Proposal`        points given by the trainer            cooperative, amortised
================  =====================================  ==========================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ebmsuite.density import Density
from ebmsuite.errors import DataError, RecipeError
from ebmsuite.ranks import Ranks
from ebmsuite.sampling.kernel import normal_like, per_row
from ebmsuite.space import Batch
from ebmsuite.tree import Tree, flatten, take, tree_map, unflatten

__all__ = ["Augmentation", "Buffer", "Chains", "Data", "Memory", "Noise", "Proposal", "Start"]


class Start(NamedTuple):
    """Where chains start: x [B, *event], the condition that they run with, and further data of the chains."""

    x: Tensor
    condition: Tree = None
    latent: Tensor | None = None
    """The latent vector that a generator made x from."""
    slots: Tensor | None = None
    """The positions at which `Chains.keep` stores the ends."""


class Augmentation:
    """A random function of events, (x, rng) -> x. Plugins register these under ``ebm_augmentations``."""

    component_kind: ClassVar[str] = "augmentation"

    def __call__(self, x: Tensor, rng: torch.Generator) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} defines no __call__")


class Chains:
    """The interface of chains. ``start`` gives the starts of n chains; ``keep`` receives their ends."""

    component_kind: ClassVar[str] = "chains"
    per_example: ClassVar[bool] = False
    """Whether kept chains belong to example numbers, so that they become invalid when the data change."""
    density: Density | None = None
    """The density from which new chains start, if there is one."""
    burn_in: int = 1
    """Factor by which chains outside learning run longer than chains in learning."""

    def start(
        self,
        n: int,
        rng: torch.Generator,
        batch: Batch | None = None,
        condition: Tree = None,
        proposal: Start | None = None,
    ) -> Start:
        """The starts of ``n`` chains. ``batch`` is None for samples outside learning."""
        raise NotImplementedError(f"{type(self).__name__} defines no start")

    def keep(self, start: Start, x: Tensor) -> None:
        """Receive the ends ``x`` of the chains of ``start``."""

    def continued(self, n: int, rng: torch.Generator) -> Start | None:
        """``n`` distinct kept chains in their current state, for diagnostics; None if fewer are kept."""
        return None

    def state(self) -> dict[str, Tensor]:
        """The state that a resumed run needs, as tensors by name."""
        return {}

    def restore(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        """Restore what `state` gave; an empty state is that of a run before its first step. `DataError` if unfit."""


class Noise(Chains):
    """Every chain starts from ``density`` and is not kept: short-run MCMC (Nijkamp et al., NeurIPS 2019)."""

    density: Density

    def __init__(self, density: Density) -> None:
        self.density = density

    def start(
        self,
        n: int,
        rng: torch.Generator,
        batch: Batch | None = None,
        condition: Tree = None,
        proposal: Start | None = None,
    ) -> Start:
        return Start(self.density.sample(n, rng, condition), condition)


class Data(Chains):
    """Every chain starts at an example, plus noise of standard deviation ``noise``: CD (Hinton, 2002)."""

    def __init__(self, noise: float = 0.0) -> None:
        self.noise = noise

    def start(
        self,
        n: int,
        rng: torch.Generator,
        batch: Batch | None = None,
        condition: Tree = None,
        proposal: Start | None = None,
    ) -> Start:
        if batch is None:
            raise RecipeError('chains "data" start at examples, and there are no examples outside learning')
        return Start(batch.x + self.noise * normal_like(batch.x, rng), condition)


class Buffer(Chains):
    """A buffer of persistent chains: PCD (Tieleman, 2008), replay (Du & Mordatch, 2019).

    The buffer has ``size`` chains, initially drawn from ``density`` and divided among the processes. A chain that is
    drawn from the buffer restarts from ``density`` with probability ``fresh``; otherwise ``augment`` is applied to it
    first (Du et al., ICML 2021). A chain keeps the condition that it was started with.

    Outside learning, samples never come from the buffer: two draws from it would share chains, and more samples than
    chains would be near copies. Each sample is a new chain from ``density`` that runs ``burn_in`` times the steps of
    learning, so samples of different seeds are independent. The default of 20 is the mean age, in draws, of a chain in
    the buffer at the published ``fresh`` of 0.05. If no condition is given, a new chain takes that of a kept chain.
    """

    density: Density

    def __init__(
        self,
        density: Density,
        size: int = 10_000,
        fresh: float = 0.05,
        augment: Augmentation | None = None,
        burn_in: int = 20,
        ranks: Ranks | None = None,
    ) -> None:
        if burn_in < 1:
            raise RecipeError(f"chains.burn_in: {burn_in} must be at least 1")
        self.density, self.fresh, self.augment, self.burn_in = density, fresh, augment, burn_in
        self.size = size // (ranks.world if ranks else 1)
        self.x: Tensor | None = None
        self.condition: Tree = None

    def start(
        self,
        n: int,
        rng: torch.Generator,
        batch: Batch | None = None,
        condition: Tree = None,
        proposal: Start | None = None,
    ) -> Start:
        if batch is None:
            if condition is None and self.condition is not None:
                condition = take(self.condition, torch.randint(self.size, (n,), generator=rng, device=rng.device))
            return Start(self.density.sample(n, rng, condition), condition)
        if self.x is None:
            self._fill(rng, condition)
        assert self.x is not None
        if n > self.size:
            raise RecipeError(f"chains.size: {self.size} chains per process are too few for a batch of {n}")
        slots = torch.randperm(self.size, generator=rng, device=rng.device)[:n]
        x, kept = self.x[slots], take(self.condition, slots)
        if self.augment is not None:
            x = self.augment(x, rng)
        new = torch.rand(n, generator=rng, device=rng.device) < self.fresh
        x = torch.where(per_row(new, x), self.density.sample(n, rng, condition), x)
        kept = tree_map(lambda old, now: torch.where(per_row(new, old), now, old), kept, condition)
        return Start(x, kept, slots=slots)

    def _fill(self, rng: torch.Generator, condition: Tree) -> None:
        # the first chains take the conditions of the first batch, repeated
        repeat = tree_map(lambda v: v[torch.arange(self.size, device=v.device) % v.shape[0]].clone(), condition)
        self.x, self.condition = self.density.sample(self.size, rng, repeat), repeat

    def keep(self, start: Start, x: Tensor) -> None:
        assert self.x is not None
        assert start.slots is not None
        self.x[start.slots] = x.detach()
        tree_map(lambda bank, now: bank.index_copy_(0, start.slots, now), self.condition, start.condition)

    def continued(self, n: int, rng: torch.Generator) -> Start | None:
        if self.x is None or n > self.size:
            return None
        slots = torch.randperm(self.size, generator=rng, device=rng.device)[:n]
        return Start(self.x[slots], take(self.condition, slots))

    def state(self) -> dict[str, Tensor]:
        if self.x is None:
            return {}
        return {"x": self.x, **flatten(self.condition, "condition", none=self.x.new_zeros(self.size, 0))}

    def restore(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        sizes = {len(v) for v in state.values()}
        if sizes - {self.size}:
            raise DataError(
                f"the checkpoint has {sizes.pop():,} chains and the recipe {self.size:,} per process; "
                "set size to the number of the checkpoint, or train a new run"
            )
        on = {k: v.to(device) for k, v in state.items()}
        self.x, self.condition = on.get("x"), unflatten(on, "condition")


class Memory(Chains):
    """One persistent chain per example: warm-started inference (Han et al., AAAI 2017).

    ``density`` gives the first start. Processes share the examples by position in the batch, so any process can get
    any example; every process therefore keeps the whole memory and gathers the ends of all chains.
    """

    per_example: ClassVar[bool] = True

    density: Density

    def __init__(self, density: Density, examples: int, ranks: Ranks | None = None) -> None:
        self.density, self.examples, self.ranks = density, examples, ranks or Ranks()
        self.x: Tensor | None = None
        self.seen: Tensor | None = None

    def start(
        self,
        n: int,
        rng: torch.Generator,
        batch: Batch | None = None,
        condition: Tree = None,
        proposal: Start | None = None,
    ) -> Start:
        x = self.density.sample(n, rng, condition)
        if batch is None:
            return Start(x, condition)
        if batch.index is None:
            raise RecipeError('chains "memory" need a data set that numbers its examples (Batch.index)')
        if self.x is None or self.seen is None:
            self.x = x.new_zeros((self.examples, *x.shape[1:]))
            self.seen = torch.zeros(self.examples, dtype=torch.bool, device=x.device)
        slots = batch.index
        return Start(torch.where(per_row(self.seen[slots], x), self.x[slots], x), condition, slots=slots)

    def keep(self, start: Start, x: Tensor) -> None:
        if start.slots is None or self.x is None or self.seen is None:
            return
        slots, ends = self.ranks.gather(start.slots), self.ranks.gather(x.detach())
        self.x[slots], self.seen[slots] = ends, True

    def state(self) -> dict[str, Tensor]:
        return {} if self.x is None or self.seen is None else {"x": self.x, "seen": self.seen}

    def restore(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        if state and len(state["x"]) != self.examples:
            raise DataError(
                f"the checkpoint has a chain for each of {len(state['x']):,} examples, and the data have "
                f"{self.examples:,}; resume with the data that the run was created with"
            )
        self.x = state["x"].to(device) if state else None
        self.seen = state["seen"].to(device) if state else None


class Proposal(Chains):
    """Chains start at points given by the trainer: draws of a generator or an encoder, or events of another domain."""

    def start(
        self,
        n: int,
        rng: torch.Generator,
        batch: Batch | None = None,
        condition: Tree = None,
        proposal: Start | None = None,
    ) -> Start:
        if proposal is None:
            raise RecipeError('chains "proposal": this trainer gives no starts; use noise, data or buffer')
        return proposal._replace(condition=condition if proposal.condition is None else proposal.condition)
