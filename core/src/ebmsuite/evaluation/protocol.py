"""Which events a metric evaluates, and the facts that its score states about them.

A metric evaluates the events of the model, or of a baseline instead. Its setting ``of`` names the source, by the same
words in every domain:

===============  ======================================================================================
of               events
===============  ======================================================================================
"model"          of the trained model (its samples, or its scores of given events)
"start"          at which the chains of the trained model start
"reconstructed"  of the auto-encoder, g(z) with z inferred from held-out examples: what no prior can improve on
"held-out"       real examples that are not the reference: what a perfect model would get, up to chance
"noise"          events without learning, such as those that chains start from
another name     a baseline that was fitted to the training examples, such as "pixel-gaussian" or "n-gram"
===============  ======================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, split_of
from ebmsuite.errors import UserError

__all__ = ["HeldOut", "SampleSource", "Split", "current", "facts_of", "held_out"]

Split: TypeAlias = Literal["train", "valid", "test"]

OLDER = {"samples": "model", "energy": "model", "real": "held-out", "reference": "noise"}
"""Words that recipes and cases had for ``of`` before, and what they are now."""


def current(of: str) -> str:
    """``of`` in today's words; words of older recipes are accepted."""
    return OLDER.get(of, of)


class SampleSource(Protocol):
    """The interface that metrics of samples need: a model, or a baseline in its place."""

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
        """``n`` events [n, *event], on the scale of the data."""
        ...


@dataclass(frozen=True)
class HeldOut:
    """Real examples of the split ``set`` in place of samples, each at most once."""

    data: Mapping[str, Dataset]
    set: Split = "valid"

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
        """[n, *event] in random order; all examples when they are fewer: the count belongs with the score."""
        dataset = split_of(self.data, self.set)
        index = torch.randperm(len(dataset), generator=rng, device=rng.device)[:n].cpu()
        parts = (dataset.batch(part, torch.zeros_like(part)) for part in torch.split(index, 256))
        return torch.cat([part.x for part in parts]).to(rng.device)


def held_out(data: Mapping[str, Dataset], against: str) -> HeldOut:
    """Real examples for a metric whose reference is the split ``against``: of "valid", or else of "train".

    Errors: `UserError` when there is neither besides the reference.
    """
    options: tuple[Split, ...] = ("valid", "train")
    for name in options:
        if name != against and name in data and len(data[name]):
            return HeldOut(data, name)
    raise UserError(f'held-out examples need another split than the reference "{against}": give "valid"')


def facts_of(model: object, of: str, n: int, reference: Dataset | None = None) -> dict[str, Any]:
    """The facts that every score states about the ``n`` events that were evaluated.

    ``data`` says which part of its source the ``reference`` is, where it is a part. ``model`` is what the model says
    of itself (`Model.describe`), where ``of`` is "model".
    """
    facts: dict[str, Any] = {"of": of, "n_samples": n}
    if reference is not None and reference.note:
        facts["data"] = str(reference.note)
    describe = getattr(model, "describe", None)
    if current(of) == "model" and describe is not None:
        facts["model"] = dict(describe())
    return facts
