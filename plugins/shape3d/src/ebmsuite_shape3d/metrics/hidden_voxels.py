"""The metric ``shape3d/recovery``: errors of hidden voxels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, first, fixed_subset, split_of
from ebmsuite.energy import Clamped
from ebmsuite.errors import UserError
from ebmsuite.evaluation.protocol import facts_of
from ebmsuite.masks import Half, Random
from ebmsuite.model import Model
from ebmsuite.scores import Score
from ebmsuite.space import Batch
from ebmsuite_shape3d import votes
from ebmsuite_shape3d.codec import VoxelCodec
from ebmsuite_shape3d.grids import OBJECT

__all__ = ["HiddenVoxels", "Of", "left_out", "recovery_scores"]

Of = Literal["model", "nearest", "nearest-5", "box-vote", "gaussian-vote", "mirrored-vote", "start"]
"""Whose recoveries are evaluated. ``nearest``: the training shape that agrees best with the visible voxels.
``nearest-5``: the mean of the five best. The votes are those of `ebmsuite_shape3d.votes`; ``mirrored-vote`` knows
the plane of symmetry. ``start``: the start of the chains, the mean of the visible voxels."""

SIDE = 30
"""Side of the grid on which errors are usually stated."""


@dataclass(frozen=True)
class HiddenVoxels:
    """Errors of the hidden voxels of the split ``against``, for a model of a clamped energy.

    Each voxel is hidden with probability ``hidden``; with ``axis``, this share of the grid is hidden instead, from
    either end of the axis (1 and 2 are horizontal, 3 is vertical), so that half of the shape is missing. The masks are
    the same for all models and baselines. Recovered occupancies above 0.5 count as occupied. With ``draws`` > 1, the
    mean of as many chains is used. Scores:

    - ``error``: share of hidden voxels that are wrong, for a grid of 30^3 whose voxels are hidden at random: objects
      lie within 24^3, and the hidden voxels of the margin count as right. It needs a ``size`` of 24 or more and no
      ``axis``;
    - ``error-grid``: the same on the grid of the model;
    - ``iou``: mean over shapes of intersection over union of the hidden voxels.

    ``n`` is the number of shapes: a fixed random subset, all of them if there are fewer.
    """

    of: Of = "model"
    against: Literal["train", "valid", "test"] = "test"
    hidden: float = 0.7
    axis: int | None = None
    draws: int = 1

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Mapping[str, Score]:
        if self.draws < 1:
            raise UserError(f"draws: must be at least 1, got {self.draws}")
        dataset = split_of(data, self.against)
        codec = dataset.codec
        if not isinstance(codec, VoxelCodec):
            raise UserError("shape3d/recovery evaluates voxel grids, with the codec shape3d/voxels")
        index = fixed_subset(dataset, n)
        wrong, hidden, iou = [], [], []
        facts: dict[str, object] = {}
        if self.of.startswith("nearest"):
            shapes = codec.occupancy(first(split_of(data, "train")).x).numpy()
            facts = {"training shapes": len(shapes)}
        elif self.of == "mirrored-vote":
            axis = votes.mirror_axis(codec.occupancy(first(split_of(data, "train")).x).numpy())
            facts = {"mirror axis": axis}
        for part in torch.split(index, 64):
            batch = dataset.batch(part, torch.zeros_like(part))
            whole = batch.truth if isinstance(batch.truth, Tensor) else batch.x
            clamped = Clamped.given(whole * (mask := self._mask(part, batch)), mask)
            known, truth = mask[:, 0].numpy(), codec.occupancy(whole)
            visible = truth.numpy() * known
            if self.of == "model":
                made = codec.occupancy(self._drawn(model, replace(batch, condition=clamped), rng).cpu()).numpy()
            elif self.of == "start":
                counts = known.sum((1, 2, 3), keepdims=True)
                made = np.broadcast_to(visible.sum((1, 2, 3), keepdims=True) / np.maximum(counts, 1), known.shape)
            elif self.of == "box-vote":
                made = votes.box_vote(visible, known)
            elif self.of == "gaussian-vote":
                made = votes.gaussian_vote(visible, known)
            elif self.of == "mirrored-vote":
                made = votes.mirrored_vote(visible, known, axis)
            else:
                made = votes.nearest_shapes(visible, known, shapes, 5 if self.of == "nearest-5" else 1)
            errors, counted, overlap = recovery_scores(torch.from_numpy(np.array(made)), truth, torch.from_numpy(known))
            wrong.append(errors)
            hidden.append(counted)
            iou.append(overlap)
        protocol = facts_of(model, self.of, len(index), dataset) | facts
        protocol |= {"hidden": self.hidden} | ({} if self.axis is None else {"axis": self.axis})
        protocol |= left_out(dataset)
        protocol |= {"against": self.against, "threshold": 0.5, "draws": self.draws if self.of == "model" else 1}
        margin = (codec.size / SIDE) ** 3 if codec.size >= OBJECT and self.axis is None else None
        errors = torch.cat(wrong) / torch.cat(hidden).clamp(min=1)
        scores = {"iou": _score(torch.cat(iou), {**protocol, "grid": f"{codec.size}^3"})}
        scores["error-grid"] = _score(errors, {**protocol, "grid": f"{codec.size}^3"})
        if margin is not None:
            scores = {"error": _score(errors * margin, {**protocol, "grid": f"{SIDE}^3"}), **scores}
        return scores

    def _mask(self, index: Tensor, batch: Batch) -> Tensor:
        shape, seeds = tuple(batch.x.shape[1:]), index.clone()
        mask = Random(self.hidden) if self.axis is None else Half(self.axis, hidden=self.hidden)
        return mask(shape, seeds, batch).expand(batch.x.shape)

    def _drawn(self, model: Model, batch: Batch, rng: torch.Generator) -> Tensor:
        return model.sample_for(batch.to(model.device), self.draws, rng).mean(1)


def recovery_scores(made: Tensor, truth: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Per shape: the number of wrong hidden voxels, of hidden voxels, and their intersection over union, each [N].

    ``made`` and ``truth`` are occupancies [N, S, S, S], ``known`` is boolean. Without an occupied hidden voxel in
    either, the intersection over union is 1.
    """
    hidden, ours, theirs = ~known, made > 0.5, truth > 0.5

    def count(voxels: Tensor) -> Tensor:
        return (voxels & hidden).sum((1, 2, 3)).double()

    both, either = count(ours & theirs), count(ours | theirs)
    return count(ours != theirs), count(hidden), torch.where(either > 0, both / either.clamp(min=1), 1.0)


def left_out(dataset: Dataset) -> dict[str, int]:
    """How many inputs of a data set were left out, by reason."""
    return {f"left out, {why}": len(names) for why, names in dataset.skipped.items()}


def _score(values: Tensor, protocol: Mapping[str, object]) -> Score:
    mean, half = float(values.mean()), 1.96 * float(values.std()) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return Score(mean, mean - half, mean + half, {**protocol, "interval": "95 %, normal, over shapes"})
