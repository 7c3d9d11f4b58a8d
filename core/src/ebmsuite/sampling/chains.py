"""Where chains start and what is kept of their ends.

================  =====================================  ==========================================
kind              starts at                              known as
================  =====================================  ==========================================
`Noise`           new draws of a density                 short-run, non-persistent
`Bank`            draws of a density, made once          refinement of another model's samples
`Data`            the examples                           contrastive divergence
`Visible`         the visible part of the events         recovery of the hidden part
`Buffer`          where other chains ended               persistent contrastive divergence
`Memory`          where this example's chains ended      warm-started inference
`Proposal`        points given by the trainer            cooperative, amortised
================  =====================================  ==========================================
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ebmsuite.density import Density
from ebmsuite.energy import Clamped
from ebmsuite.errors import DataError, MissingData, RecipeError
from ebmsuite.ranks import Ranks
from ebmsuite.sampling.kernel import normal_like, per_row
from ebmsuite.space import Batch
from ebmsuite.tree import Tree, flatten, take, tree_map, unflatten

__all__ = [
    "Augmentation",
    "Bank",
    "Buffer",
    "Chains",
    "Data",
    "Memory",
    "Noise",
    "Proposal",
    "Start",
    "Visible",
]

log = logging.getLogger("ebmsuite")


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
    per_row: int = 1
    """Number of chains per row of a batch in learning. `Phase.draw` repeats the rows."""

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


class Bank(Chains):
    """Every chain starts at one of ``size`` draws of ``density``, which are made once and divided among the processes.

    It is for densities that are slow to draw from, such as the samples of another run. Chains in learning take draws
    at random, all different within a batch if there are enough; a draw that was made with a condition keeps it. Without
    a ``density``, the trainer must give one (`latent-refine`: the samples of its earlier stages).

    Samples outside learning start from new draws of ``density``. If it cannot be drawn from any more, because its data
    or run are missing, they start from the stored draws, with a warning.
    """

    def __init__(self, density: Density | None = None, size: int = 10_000, ranks: Ranks | None = None) -> None:
        self.density = density
        self.size = size // (ranks.world if ranks else 1)
        if self.size < 1:
            raise RecipeError(f"chains.size: {size} draws are too few; each process needs at least one")
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
        if self.density is None:
            raise RecipeError('chains "bank": give a density; this trainer has no earlier stage to draw from')
        if batch is None:
            try:
                return Start(self.density.sample(n, rng, condition), condition)
            except MissingData as missing:
                if self.x is None or condition is not None or n > self.size:
                    raise
                log.warning("%s; these chains start from the draws that the run stored, whatever the seed", missing)
        elif self.x is None:
            self.condition = _repeated(condition, self.size)
            self.x = self.density.sample(self.size, rng, self.condition)
        assert self.x is not None
        slots = _distinct(n, self.size, rng)
        return Start(self.x[slots], take(self.condition, slots))

    def state(self) -> dict[str, Tensor]:
        if self.x is None:
            return {}
        return {"x": self.x, **flatten(self.condition, "condition", none=self.x.new_zeros(self.size, 0))}

    def restore(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        _check_size(state, self.size)
        on = {k: v.to(device) for k, v in state.items()}
        self.x, self.condition = on.get("x"), unflatten(on, "condition")


def _repeated(condition: Tree, n: int) -> Tree:
    """The rows of a condition, repeated to ``n`` rows."""
    return tree_map(lambda v: v[torch.arange(n, device=v.device) % v.shape[0]].clone(), condition)


def _distinct(n: int, size: int, rng: torch.Generator) -> Tensor:
    """``n`` random numbers below ``size``, all different if ``n`` is at most ``size``."""
    parts = [torch.randperm(size, generator=rng, device=rng.device) for _ in range(-(-n // size))]
    return torch.cat(parts)[:n]


def _check_size(state: Mapping[str, Tensor], size: int) -> None:
    sizes = {len(v) for v in state.values()}
    if sizes - {size}:
        raise DataError(
            f"the checkpoint has {sizes.pop():,} chains and the recipe {size:,} per process; "
            "set size to the number of the checkpoint, or train a new run"
        )


class Visible(Chains):
    """The visible part of an event starts as given, the hidden part from ``density``.

    Without a density, hidden coordinates start at the mean of the visible ones of the same event, as published for
    voxels (Xie et al., CVPR 2018), plus noise of standard deviation ``noise``. The condition must be that of a clamped
    energy (`ebmsuite.energy.Clamped.given`); chains start in the same way in and outside learning.
    """

    def __init__(self, density: Density | None = None, noise: float = 0.0) -> None:
        self.density, self.noise = density, noise

    def start(
        self,
        n: int,
        rng: torch.Generator,
        batch: Batch | None = None,
        condition: Tree = None,
        proposal: Start | None = None,
    ) -> Start:
        if not Clamped.is_given(condition):
            raise RecipeError(
                'chains "visible" start at the visible part of events, which the condition does not have; use the '
                'energy "clamped" with the data set "masked", or the trainer "incomplete"'
            )
        values, known = condition["values"], condition["known"]
        if self.density is None:
            axes = tuple(range(1, values.dim()))
            mean = (values * known).sum(axes, keepdim=True) / known.sum(axes, keepdim=True).clamp(min=1)
            hidden = mean + self.noise * normal_like(values, rng)
        else:
            hidden = self.density.sample(n, rng, condition.get("inner"))
        return Start(torch.where(known, values, hidden), condition)


class Data(Chains):
    """Every chain starts at an example, plus noise of standard deviation ``noise``: CD (Hinton, 2002).

    Samples outside learning start from ``density``; without one they are an error.
    """

    def __init__(self, noise: float = 0.0, density: Density | None = None) -> None:
        self.noise, self.density = noise, density

    def start(
        self,
        n: int,
        rng: torch.Generator,
        batch: Batch | None = None,
        condition: Tree = None,
        proposal: Start | None = None,
    ) -> Start:
        if batch is None:
            if self.density is None:
                raise RecipeError(
                    'chains "data" start at examples, and there are no examples outside learning; set their density, '
                    "from which samples then start"
                )
            return Start(self.density.sample(n, rng, condition), condition)
        return Start(batch.x + self.noise * normal_like(batch.x, rng), condition)


class Buffer(Chains):
    """A buffer of persistent chains: PCD (Tieleman, 2008), replay (Du & Mordatch, 2019).

    The buffer has ``size`` chains, initially drawn from ``density`` and divided among the processes. A chain that is
    drawn from the buffer restarts from ``density`` with probability ``fresh``; otherwise ``augment`` is applied to it
    first (Du et al., ICML 2021). A chain keeps the condition that it was started with, unless ``share`` is set: then a
    chain continues with the condition of the row that draws it.

    With ``fill_first`` the buffer starts empty. Until it is full, all chains start from ``density`` and their ends are
    added to it. A replay memory of latent vectors (Pang et al., CVPR 2021) has ``fill_first``, ``share`` and no fresh
    chains.

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
        share: bool = False,
        fill_first: bool = False,
        ranks: Ranks | None = None,
    ) -> None:
        if burn_in < 1:
            raise RecipeError(f"chains.burn_in: {burn_in} must be at least 1")
        self.density, self.fresh, self.augment, self.burn_in = density, fresh, augment, burn_in
        self.share, self.fill_first = share, fill_first
        self.size = size // (ranks.world if ranks else 1)
        self.filled = 0
        """Number of chains in the buffer."""
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
                condition = take(self.condition, torch.randint(self.filled, (n,), generator=rng, device=rng.device))
            return Start(self.density.sample(n, rng, condition), condition)
        if n > self.size:
            raise RecipeError(f"chains.size: {self.size} chains per process are too few for a batch of {n}")
        if self.x is None and not self.fill_first:
            self._fill(rng, condition)
        if self.filled < self.size:
            slots = torch.arange(self.filled, self.filled + n, device=rng.device) % self.size
            return Start(self.density.sample(n, rng, condition), condition, slots=slots)
        assert self.x is not None
        slots = torch.randperm(self.size, generator=rng, device=rng.device)[:n]
        x, kept = self.x[slots], condition if self.share else take(self.condition, slots)
        if self.augment is not None:
            x = self.augment(x, rng)
        new = torch.rand(n, generator=rng, device=rng.device) < self.fresh
        x = torch.where(per_row(new, x), self.density.sample(n, rng, condition), x)
        kept = tree_map(lambda old, now: torch.where(per_row(new, old), now, old), kept, condition)
        return Start(x, kept, slots=slots)

    def _fill(self, rng: torch.Generator, condition: Tree) -> None:
        # the first chains take the conditions of the first batch, repeated
        repeat = _repeated(condition, self.size)
        self.x, self.filled = self.density.sample(self.size, rng, repeat), self.size
        self.condition = None if self.share else repeat

    def keep(self, start: Start, x: Tensor) -> None:
        assert start.slots is not None
        if self.x is None:  # the first chains of an empty buffer
            self.x = x.new_empty((self.size, *x.shape[1:]))
            if not self.share:
                self.condition = tree_map(lambda v: v.new_empty((self.size, *v.shape[1:])), start.condition)
        if self.filled < self.size:
            self.filled = min(self.filled + len(x), self.size)
        self.x[start.slots] = x.detach()
        if self.condition is not None:
            tree_map(lambda bank, now: bank.index_copy_(0, start.slots, now), self.condition, start.condition)

    def continued(self, n: int, rng: torch.Generator) -> Start | None:
        if self.x is None or n > self.filled or self.share:
            return None
        slots = torch.randperm(self.filled, generator=rng, device=rng.device)[:n]
        return Start(self.x[slots], take(self.condition, slots))

    def state(self) -> dict[str, Tensor]:
        if self.x is None:
            return {}
        flat = {"x": self.x, **flatten(self.condition, "condition", none=self.x.new_zeros(self.size, 0))}
        return {k: v[: self.filled] for k, v in flat.items()}

    def restore(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        self.filled = len(state["x"]) if state else 0
        if not self.fill_first or self.filled > self.size:
            _check_size(state, self.size)

        def whole(v: Tensor) -> Tensor:
            return torch.cat([v, v.new_empty((self.size - len(v), *v.shape[1:]))]).to(device)

        on = {k: whole(v) for k, v in state.items()}
        self.x, self.condition = on.get("x"), unflatten(on, "condition")


class Memory(Chains):
    """``chains`` persistent chains per example: warm-started inference (Han et al., AAAI 2017).

    A chain first starts as ``start`` says, which is called once per chain, for new chains only, or from ``density``.
    Exactly one of the two must be given. Processes share the examples by position in the batch, so any process can get
    any example; every process therefore keeps the whole memory and gathers the ends of all chains.

    To hold the chains at their first start for N learning steps, let the steps of the phase be a schedule that is 0 at
    first: ``steps: {start: 0, end: 20, over: 1, delay: N - 1}``.

    Outside learning, new chains run ``burn_in`` times the steps of learning.
    """

    per_example: ClassVar[bool] = True

    def __init__(
        self,
        density: Density | None = None,
        examples: int = 1,
        start: Chains | None = None,
        chains: int = 1,
        burn_in: int = 1,
        ranks: Ranks | None = None,
    ) -> None:
        if (density is None) == (start is None):
            raise RecipeError('chains "memory": give either start (chains) or density, from which a chain first starts')
        if chains < 1:
            raise RecipeError(f"chains.chains: {chains} chains per example are too few; at least 1 is needed")
        if burn_in < 1:
            raise RecipeError(f"chains.burn_in: {burn_in} must be at least 1")
        if start is not None and (start.per_row > 1 or start.state()):
            raise RecipeError(
                "chains.start: must be chains that keep nothing, such as noise, data, visible or proposal"
            )
        self.first = start
        self.density = density if start is None else start.density
        self.examples, self.per_row, self.burn_in, self.ranks = examples, chains, burn_in, ranks or Ranks()
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
        if batch is None:
            return self._new(n, rng, None, condition, proposal)
        slots = self._slots(batch)
        seen = torch.zeros_like(slots, dtype=torch.bool) if self.seen is None else self.seen[slots]
        if self.first is None:  # a density draws for every row, whether it has a chain or not
            x = self._new(n, rng, batch, condition, proposal).x
            bank, _ = self._bank(x)
            return Start(torch.where(per_row(seen, x), bank[slots], x), condition, slots=slots)
        rows = self._first_of(slots, ~seen)
        if len(rows):
            begun = None if proposal is None else Start(*(take(v, rows) for v in proposal))
            new = self._new(len(rows), rng, batch.take(rows), take(condition, rows), begun).x
            bank, marks = self._bank(new)
            bank[slots[rows]], marks[slots[rows]] = new, True
        assert self.x is not None
        return Start(self.x[slots], condition, slots=slots)

    def kept(self, batch: Batch) -> tuple[Tensor, Tensor] | None:
        """The kept chains of the rows of ``batch``, [B, *event], and a mask [B] of rows that have one; None if none."""
        if self.x is None or self.seen is None or batch.index is None:
            return None
        slots = self._slots(batch)
        inside = slots < len(self.x)
        slots = torch.where(inside, slots, 0)
        return self.x[slots], self.seen[slots] & inside

    def keep(self, start: Start, x: Tensor) -> None:
        if start.slots is None or self.x is None or self.seen is None:
            return
        slots, ends = self.ranks.gather(start.slots), self.ranks.gather(x.detach())
        self.x[slots], self.seen[slots] = ends, True

    def state(self) -> dict[str, Tensor]:
        return {} if self.x is None or self.seen is None else {"x": self.x, "seen": self.seen}

    def restore(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        slots = self.examples * self.per_row
        if state and len(state["x"]) != slots:
            raise DataError(
                f"the checkpoint has {len(state['x']):,} chains, and {self.examples:,} examples with {self.per_row} "
                f"chains each need {slots:,}; resume with the data and the chains that the run was created with"
            )
        self.x = state["x"].to(device) if state else None
        self.seen = state["seen"].to(device) if state else None

    def _slots(self, batch: Batch) -> Tensor:
        """Where the chains of a batch are kept. Repeated rows follow one another, so an example's chains do too."""
        if batch.index is None:
            raise RecipeError('chains "memory" need a data set that numbers its examples (Batch.index)')
        chain = torch.arange(len(batch), device=batch.index.device) % self.per_row
        return batch.index * self.per_row + chain

    @staticmethod
    def _first_of(slots: Tensor, new: Tensor) -> Tensor:
        """The numbers of the rows that are ``new``; of rows with the same slot only the first."""
        rows = new.nonzero()[:, 0]
        found, which = torch.unique(slots[rows], return_inverse=True)
        return rows.new_full(found.shape, len(slots)).scatter_reduce(0, which, rows, "amin")

    def _new(self, n: int, rng: torch.Generator, batch: Batch | None, condition: Tree, proposal: Start | None) -> Start:
        """The first starts of new chains."""
        if self.first is not None:
            return self.first.start(n, rng, batch, condition, proposal)
        assert self.density is not None
        return Start(self.density.sample(n, rng, condition), condition)

    def _bank(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """The chains and the mask of those that have started, created at the first use."""
        if self.x is None or self.seen is None:
            slots = self.examples * self.per_row
            self.x = like.new_zeros((slots, *like.shape[1:]))
            self.seen = torch.zeros(slots, dtype=torch.bool, device=like.device)
        return self.x, self.seen


class Proposal(Chains):
    """Chains start at points given by the trainer: draws of a generator or an encoder, or events of another domain.

    ``source(n, rng, condition)`` gives the starts outside learning; the trainer sets it (`propose`).
    """

    source: Callable[[int, torch.Generator, Tree], Start] | None = None

    def start(
        self,
        n: int,
        rng: torch.Generator,
        batch: Batch | None = None,
        condition: Tree = None,
        proposal: Start | None = None,
    ) -> Start:
        if proposal is None and batch is None and self.source is not None:
            return self.source(n, rng, condition)
        if proposal is None:
            raise RecipeError('chains "proposal": this trainer gives no starts; use noise, data or buffer')
        return proposal._replace(condition=condition if proposal.condition is None else proposal.condition)
