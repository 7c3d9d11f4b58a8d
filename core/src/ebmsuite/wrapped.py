"""Data sets around other data sets: the same examples with a part hidden, or with a measurement as their condition."""

from __future__ import annotations

import dataclasses
from itertools import accumulate
from typing import Any, Literal

import torch
from torch import Tensor

from ebmsuite.constraint import LinearConstraint
from ebmsuite.dataset import Dataset, digest_of
from ebmsuite.energy import Clamped, Projected
from ebmsuite.errors import RecipeError
from ebmsuite.masks import Mask
from ebmsuite.seeded import seeded_uniform
from ebmsuite.space import Batch, Space
from ebmsuite.tree import per_row

__all__ = ["Masked", "Measured", "Wrapped"]

FURTHER = 0x5851F42D
"""Changes the seeds of the masks of data that have hidden coordinates already."""
CHOICE = 1_001
"""The salt of the random numbers that choose the mask of an example."""


class Wrapped(Dataset):
    """The examples of another data set, ``of``. Every attribute that is not defined here is that of ``of``."""

    def __init__(self, of: Dataset) -> None:
        self.of = of
        self.event, self.condition, self.codec, self.lengths = of.event, of.condition, of.codec, of.lengths
        self.labels, self.note, self.skipped = of.labels, of.note, of.skipped

    def __getattr__(self, name: str) -> Any:
        if name == "of":  # not yet set
            raise AttributeError(name)
        return getattr(self.of, name)

    def __len__(self) -> int:
        return len(self.of)


class Masked(Wrapped):
    """The examples of ``of`` with a part hidden by one of ``masks``, chosen in proportion to ``weights``.

    ``given`` says how the visible part is given:

    - "known": as incomplete data. Hidden coordinates of ``Batch.x`` are 0 and ``Batch.known`` is False there. The mask
      of an example never changes, so its hidden part is never seen.
    - "condition": as the condition of a clamped energy, ``values``, ``known`` and, if ``of`` has a condition,
      ``inner``. ``Batch.x`` is complete, for learning to fill in. The training split draws new masks in every epoch,
      unless ``fixed``; other splits draw one per example.

    ``Batch.truth`` has the whole events, for metrics.
    """

    def __init__(
        self,
        of: Dataset,
        masks: tuple[Mask, ...],
        weights: tuple[float, ...] | None = None,
        given: Literal["known", "condition"] = "known",
        fixed: bool = False,
        split: str = "train",
    ) -> None:
        super().__init__(of)
        self.masks, self.given = masks, given
        self.weights = weights or (1.0,) * len(masks)
        self.fixed = fixed or given == "known" or split != "train"
        if not masks or len(self.weights) != len(masks) or min(self.weights) < 0 or sum(self.weights) <= 0:
            raise RecipeError(f"weights: {len(masks)} masks need as many weights that are not negative, got {weights}")
        if of.event.kind not in ("real", "one-hot"):
            raise RecipeError(f"masked: events of kind {of.event.kind} have no coordinates to hide")
        if given == "condition":
            event = of.event
            values = Space(event.shape, event.range, event.kind, mask="known")
            self.condition = Clamped.given(values, Space(event.shape, kind="mask"), of.condition)

    def batch(self, index: Tensor, seeds: Tensor) -> Batch:
        whole = self.of.batch(index, seeds)
        if whole.view is not None:
            raise RecipeError("masked: these data have a view for an encoder, which would show the hidden part")
        known = self._known(whole, index, torch.zeros_like(seeds) if self.fixed else seeds)
        truth = whole.x
        if whole.known is not None:
            known, truth = known & whole.known, truth if whole.truth is None else whole.truth
        visible = whole.x * known
        if self.given == "known":
            return dataclasses.replace(whole, x=visible, known=known, truth=truth)
        condition = Clamped.given(visible, known, whole.condition)
        return dataclasses.replace(whole, condition=condition, truth=truth)

    def _known(self, whole: Batch, index: Tensor, seeds: Tensor) -> Tensor:
        seeds = seeds ^ (index + 1) * 0xC2B2AE3D  # examples with equal seeds have masks of their own
        if whole.known is not None:
            seeds = seeds ^ FURTHER  # and so have data that are masked twice
        one_hot = self.event.kind == "one-hot"  # all categories of a site are hidden together
        sites = tuple(whole.x.shape[1:-1] if one_hot else whole.x.shape[1:])
        bounds = torch.tensor(list(accumulate(self.weights))) / sum(self.weights)
        chosen = torch.bucketize(seeded_uniform(seeds, salt=CHOICE), bounds[:-1], right=True)
        known = torch.ones((len(index), *sites), dtype=torch.bool)
        for i, mask in enumerate(self.masks):
            known = torch.where(per_row(chosen == i, known), mask(sites, seeds, whole), known)
        return known[..., None].expand(whole.x.shape) if one_hot else known

    def digest(self) -> str:
        """A digest of the examples and of the settings of the masks."""
        return digest_of(self.of.digest(), repr((self.masks, self.weights, self.given, self.fixed)))


class Measured(Wrapped):
    """The examples of ``of`` with the condition of a projected energy: ``measured``, a linear function of the event.

    ``inner`` is the condition that ``of`` has, if any.
    """

    def __init__(self, of: Dataset, constraint: LinearConstraint, split: str = "train") -> None:
        super().__init__(of)
        self.constraint = constraint
        self.condition = Projected.given(constraint.space(of.event), of.condition)

    def batch(self, index: Tensor, seeds: Tensor) -> Batch:
        whole = self.of.batch(index, seeds)
        condition = Projected.given(self.constraint.measure(whole.x), whole.condition)
        return dataclasses.replace(whole, condition=condition, truth=whole.x)

    def digest(self) -> str:
        """A digest of the examples and of the constraint."""
        return digest_of(self.of.digest(), repr(self.constraint))
