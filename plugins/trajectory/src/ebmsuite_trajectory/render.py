"""Renderers: sampled futures beside the true ones, and sampled paths on the road."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from ebmsuite.dataset import fixed_batch, split_of
from ebmsuite.pictures.picture_files import write_png
from ebmsuite_trajectory.codec import TrackCodec
from ebmsuite_trajectory.controls import ControlCodec
from ebmsuite_trajectory.drawing import draw_lanes, draw_overlay

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["Overlay", "Paths"]


@dataclass(frozen=True)
class Overlay:
    """``k`` futures (red) of ``n`` agents of the split ``against``, with their past (grey) and true future (blue).

    Agents of several recordings share the picture.
    """

    against: Literal["train", "valid", "test"] = "valid"
    k: int = 20

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        dataset, codec = split_of(model.data, self.against), model.codec_as(TrackCodec)
        batch = fixed_batch(dataset, n)
        futures = model.sample_for(batch, self.k, rng).cpu()
        past, drawn, truth = (codec.world(x, batch) for x in (batch.condition["past"], futures, batch.x))
        picture = draw_overlay(past, drawn, truth)
        path = folder / "futures.png"
        write_png(picture.numpy(), path)
        return [path]


@dataclass(frozen=True)
class Paths:
    """Paths sampled in ``n`` scenes of the split ``against`` (right), beside those of the experts (left)."""

    against: Literal["train", "valid", "test"] = "valid"

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        dataset, codec = split_of(model.data, self.against), model.codec_as(ControlCodec)
        batch = fixed_batch(dataset, n)
        drawn = model.sample_for(batch, 1, rng)[:, 0].cpu()
        columns = [draw_lanes(codec.states(x, batch.condition), batch.condition) for x in (batch.x, drawn)]
        sheet = torch.cat([torch.cat(list(column)) for column in columns], 1)
        path = folder / "paths.png"
        write_png(sheet.numpy(), path)
        return [path]
