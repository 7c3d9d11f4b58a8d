"""Pictures of clips side by side: films, frames and slices through space and time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ebmsuite.pictures.picture_files import write_film, write_png
from ebmsuite.pictures.sheets import Picture, captioned, sheet
from ebmsuite_video.codec import SHOWN, Frames

__all__ = ["frames_sheet", "slices", "write_frames_and_slices", "write_side_by_side"]


def write_side_by_side(codec: Frames, clips: Tensor, captions: Sequence[str], path: Path) -> None:
    """Write a film that plays clips [N, C, T, H, W] side by side, at the rate of the codec, with a caption each."""
    films = codec.frames(clips.cpu())
    pictures = [sheet(films[:, t], len(films), captions=captions) for t in range(films.shape[1])]
    write_film(pictures, path, 1000 / codec.fps, 1000 / codec.fps)


def frames_sheet(codec: Frames, clips: Tensor, captions: Sequence[str], shown: int = SHOWN) -> Picture:
    """Frames of clips [N, C, T, H, W] at ``shown`` moments: one row per clip, with its caption below."""
    films = codec.frames(clips.cpu())
    moments = torch.linspace(0, films.shape[1] - 1, min(shown, films.shape[1])).round().long().tolist()
    rows = torch.cat([films[:, t] for t in moments], 2)
    return sheet(captioned(rows, captions), 1)


def slices(codec: Frames, clips: Tensor, captions: Sequence[str]) -> Picture:
    """The middle row of pixels of every frame, below one another: time runs down. One picture per clip."""
    films = codec.frames(clips.cpu())
    return sheet(films[:, :, films.shape[2] // 2], len(films), captions=captions)


def write_frames_and_slices(codec: Frames, clips: Tensor, captions: Sequence[str], frames: Path, through: Path) -> None:
    """Write `frames_sheet` and `slices` as PNG files."""
    write_png(frames_sheet(codec, clips, captions), frames)
    write_png(slices(codec, clips, captions), through)
