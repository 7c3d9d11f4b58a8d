"""Data sets around other data sets: the same examples with a part hidden, or with a measurement as their condition."""

from __future__ import annotations

import dataclasses
from itertools import accumulate
from typing import Any, Literal

import torch
from torch import Tensor

from ebmsuite.constraint import LinearConstraint
from ebmsuite.dataset import Dataset, digest_of
from ebmsuite.errors import RecipeError
from ebmsuite.masks import Mask, PerExample
from ebmsuite.space import Batch, ConditionSpace, Space
from ebmsuite.tree import Tree

__all__ = ["Masked", "Measured", "Wrapped"]


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
    """The examples of ``of`` with a part hidden: the mask of each is drawn from ``masks``, in proportion to ``weights``.

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
            self.condition = _with_inner(
                {"values": Space(event.shape, event.range, event.kind), "known": Space(event.shape, kind="mask")},
                of.condition,
            )

    def batch(self, index: Tensor, seeds: Tensor) -> Batch:
        whole = self.of.batch(index, seeds)
        if whole.view is not None:
            raise RecipeError("masked: these data have a view for an encoder, which would show the hidden part")
        known = self._known(whole, index, torch.zeros_like(seeds) if self.fixed else seeds)
        if whole.known is not None:
            known = known & whole.known
        visible = whole.x * known
        if self.given == "known":
            return dataclasses.replace(whole, x=visible, known=known, truth=whole.x)
        condition = _with_inner({"values": visible, "known": known}, whole.condition)
        return dataclasses.replace(whole, condition=condition, truth=whole.x)

    def _known(self, whole: Batch, index: Tensor, seeds: Tensor) -> Tensor:
        random = PerExample(seeds ^ PerExample(index).state)  # with equal seeds, examples still have masks of their own
        sites = tuple(whole.x.shape[1:-1] if self.event.kind == "one-hot" else whole.x.shape[1:])
        total = sum(self.weights)
        bounds = torch.tensor([b / total for b in accumulate(self.weights)][:-1])
        chosen = torch.bucketize(random.uniform(), bounds, right=True)
        known = torch.ones((len(index), *sites), dtype=torch.bool)
        for i, mask in enumerate(self.masks):
            mine = (chosen == i).view(-1, *(1 for _ in sites))
            known = torch.where(mine, mask(sites, random, whole), known)
        return known[..., None].expand(whole.x.shape) if self.event.kind == "one-hot" else known

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
        self.condition = _with_inner({"measured": constraint.space(of.event)}, of.condition)

    def batch(self, index: Tensor, seeds: Tensor) -> Batch:
        whole = self.of.batch(index, seeds)
        condition = _with_inner({"measured": self.constraint.measure(whole.x)}, whole.condition)
        return dataclasses.replace(whole, condition=condition, truth=whole.x)

    def digest(self) -> str:
        """A digest of the examples and of the constraint."""
        return digest_of(self.of.digest(), repr(self.constraint))


def _with_inner(condition: dict[str, Any], inner: Tree | ConditionSpace) -> dict[str, Any]:
    return condition if inner is None else {**condition, "inner": inner}
