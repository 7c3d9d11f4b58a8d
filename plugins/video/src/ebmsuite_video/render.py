"""Renderers: synthesised clips beside the training clips, and recovered clips beside the damaged ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from ebmsuite.dataset import first, split_of
from ebmsuite.model import Model
from ebmsuite_video.codec import Frames
from ebmsuite_video.drawing import write_frames_and_slices, write_side_by_side
from ebmsuite_video.synthesis import kept_chains, synthesise

__all__ = ["FilmSheet", "Recovered"]

Format = Literal["webp", "gif", "mp4"]


@dataclass(frozen=True)
class FilmSheet:
    """Writes the first training clip and ``n`` synthesised clips: the kept chains of learning, then new chains.

    ``samples.webp`` (and the other ``formats``) plays them at the rate of the data; ``samples.png`` shows frames, one
    row per clip, and ``slices.png`` the middle row of pixels over time, which runs down. With ``kept`` only kept chains
    are shown, at most ``n``.
    """

    formats: tuple[Format, ...] = ("webp", "mp4")
    kept: bool = True

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        codec = model.codec_as(Frames)
        kept = kept_chains(model)[:n]
        x = kept if self.kept and len(kept) else synthesise(model, n, rng)[0]
        clips = torch.cat([first(split_of(model.data, "train"), 1).x, x.cpu()])
        captions = ["data", *(f"chain {i + 1}" for i in range(len(x)))]
        paths = [folder / "samples.png", folder / "slices.png"]
        write_frames_and_slices(codec, clips, captions, *paths)
        for format in self.formats:
            paths.append(folder / f"samples.{format}")
            write_side_by_side(codec, clips, captions, paths[-1])
        return paths


@dataclass(frozen=True)
class Recovered:
    """Writes damaged, recovered and, if known, true clips of at most ``n`` training examples.

    ``samples.webp`` (and the other ``formats``) plays them at the rate of the data; ``samples.png`` shows frames and
    ``slices.png`` the middle row of pixels over time. Needs the trainer ``incomplete``.
    """

    formats: tuple[Format, ...] = ("webp", "mp4")

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        codec = model.codec_as(Frames)
        batch = first(split_of(model.data, "train"), n)
        x = model.trainer.recover(batch.to(model.device), rng).cpu()
        shown = batch.x if batch.known is None else torch.where(batch.known, batch.x, -1 - codec.mean)
        parts = {"damaged": shown, "recovered": x, "truth": batch.truth}
        clips = torch.cat([part for part in parts.values() if part is not None])
        captions = [name for name, part in parts.items() if part is not None for _ in range(len(x))]
        paths = [folder / "samples.png", folder / "slices.png"]
        write_frames_and_slices(codec, clips, captions, *paths)
        for format in self.formats:
            paths.append(folder / f"samples.{format}")
            write_side_by_side(codec, clips, captions, paths[-1])
        return paths
