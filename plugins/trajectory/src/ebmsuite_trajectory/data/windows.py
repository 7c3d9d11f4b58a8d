"""The data set of windows of tracks, and its augmentation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, digest_of
from ebmsuite.errors import RecipeError
from ebmsuite.seeded import seeded_uniform
from ebmsuite.space import Batch, Space
from ebmsuite_trajectory.codec import TrackCodec, rotate
from ebmsuite_trajectory.tracks import Windows

__all__ = ["TrackWindows"]


class TrackWindows(Dataset):
    """Windows of tracks: x is the future [predicted, 2], the condition is ``{"past": [observed, 2]}``.

    The encoder input is ``{"past", "future"}``. With ``flip``, half of the examples are mirrored across their first
    axis; with ``turn``, examples are rotated by a random angle; with ``stretch`` s, positions are multiplied by a
    factor between exp(-s) and exp(s), uniform in its logarithm, for slower and faster agents. All are drawn anew per
    example and epoch. A batch in evaluation (seed 0) is not changed.
    """

    def __init__(
        self, windows: Windows, codec: TrackCodec, flip: bool = False, turn: bool = False, stretch: float = 0.0
    ) -> None:
        if not 0 <= stretch <= 2:
            raise RecipeError(f"stretch: must be between 0 and 2, got {stretch:g}")
        self.windows, self.codec, self.flip, self.turn, self.stretch = windows, codec, flip, turn, stretch
        self.all = codec.batch(windows)
        self.event = Space((codec.predicted, 2))
        self.condition = {"past": Space((codec.observed, 2))}
        self.note = windows.note
        self.skipped: Mapping[str, Sequence[str]] = windows.skipped

    @classmethod
    def of_split(
        cls, windows: Windows, note: str, codec: TrackCodec, split: str, flip: bool, turn: bool, stretch: float
    ) -> TrackWindows:
        """The windows of a split, described by ``note``. Only the training split is augmented."""
        train = split == "train"
        return cls(replace(windows, note=note), codec, flip and train, turn and train, stretch * train)

    def __len__(self) -> int:
        return len(self.windows)

    def digest(self) -> str:
        """A digest of all windows."""
        return digest_of(self.all.x, self.all.condition["past"])

    def batch(self, index: Tensor, seeds: Tensor) -> Batch:
        part = self.all.take(index)
        x, past, meta = part.x, part.condition["past"], part.meta
        if (self.flip or self.turn or self.stretch) and bool((seeds != 0).any()):
            x, past = self._augmented(x, past, seeds)
            meta = None  # the coordinates of the recording no longer apply
        return Batch(x, {"past": past}, index, view={"past": past, "future": x}, meta=meta)

    def _augmented(self, x: Tensor, past: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
        u = seeded_uniform(seeds, (3,))
        changes = (seeds != 0)[:, None, None]
        both = torch.cat([past, x], 1)
        if self.flip:
            both = torch.where(changes & (u[:, :1, None] < 0.5), both * both.new_tensor([1.0, -1.0]), both)
        if self.turn:
            both = torch.where(changes, rotate(both, 2 * math.pi * u[:, 1]), both)
        if self.stretch:
            both = torch.where(changes, both * (self.stretch * (2 * u[:, 2, None, None] - 1)).exp(), both)
        return both[:, past.shape[1] :], both[:, : past.shape[1]]
