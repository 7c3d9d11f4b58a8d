"""Clips of a trained model: the kept chains of learning, and new chains."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmsuite.model import Model
from ebmsuite.sampling import Memory, Start
from ebmsuite.space import Batch

__all__ = ["kept_chains", "synthesise"]


def kept_chains(model: Model) -> Tensor:
    """The chains that learning kept, [chains, C, T, H, W]; none if the phase "negative" keeps no chains per clip."""
    phase = model.phases.get("negative")
    if phase is not None and isinstance(phase.chains, Memory):
        chains = phase.chains
        index = torch.arange(chains.examples, device=model.device).repeat_interleave(chains.per_row)
        found = chains.kept(Batch(torch.empty(len(index), 0), index=index))
        if found is not None:
            return found[0][found[1]]
    return torch.empty(0, *model.event.fixed, device=model.device)


def synthesise(model: Model, n: int, rng: torch.Generator, steps: int = 0) -> tuple[Tensor, int]:
    """``n`` different clips and the number of kept chains among them.

    The kept chains come first and continue for ``steps`` steps; each is used once. Further clips are new chains.
    """
    kept = kept_chains(model)[:n]
    if len(kept) and steps:
        kept = model.phases["negative"].refine(Start(kept), rng, steps)
    more = n - len(kept)
    return (torch.cat([kept, model.sample(more, rng=rng)]) if more else kept), len(kept)
