"""The data set ``video/ripples``: a procedural texture of travelling waves."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ebmsuite.seeded import seeded_uniform
from ebmsuite_video.codec import Frames
from ebmsuite_video.data.clip import Cut, mean_brightness

__all__ = ["Ripples", "ripples"]

WAVES = 16
DRAWS = 1_000_000
"""Seeds of the splits are this far apart."""


class Ripples(Cut):
    """``n`` clips of computed ripples on water, [3, frames, size, size]: not filmed.

    Each clip is a sum of `WAVES` waves that travel mainly to the right, with lengths of 8 to 32 pixels, random phases,
    and steep fronts, so that a film that runs backwards is distinguishable. The texture is stationary in space and
    time. Splits are independent draws.
    """

    def __init__(
        self, n: int = 2, frames: int = 32, size: int = 32, split: Literal["train", "valid", "test"] = "train"
    ) -> None:
        seeds = torch.arange(n) + DRAWS * ["train", "valid", "test"].index(split)
        pixels = ripples(seeds, frames, size)
        codec = Frames((size, size), frames, 3, 25.0, mean_brightness(ripples(torch.arange(n), frames, size)))
        names = [f"{split} {i}" for i in range(n)]
        super().__init__(list(pixels), codec, names, [0] * n, f"{n} computed clips, not filmed")


def ripples(seeds: Tensor, frames: int, size: int) -> Tensor:
    """Ripples, uint8 [N, T, 3, size, size], one clip per seed."""
    u = seeded_uniform(seeds, (WAVES, 3)).double()
    length = 8 * 4 ** u[..., 0]
    direction = (u[..., 1] - 0.5) * 0.6 * math.pi
    k = 2 * math.pi / length
    omega = 0.9 * k.sqrt() * 0.6  # waves in deep water: the longer ones are faster
    time = torch.arange(frames, dtype=torch.float64).view(1, frames, 1, 1)
    place = torch.arange(size, dtype=torch.float64)
    height = torch.zeros(len(seeds), frames, size, size, dtype=torch.float64)
    for i in range(WAVES):
        along, across, speed, phase = (
            v[:, i].view(-1, 1, 1, 1)
            for v in (k * direction.cos(), k * direction.sin(), omega, 2 * math.pi * u[..., 2])
        )
        angle = along * place + across * place[:, None] - speed * time + phase
        height += (length[:, i].view(-1, 1, 1, 1) / 16).sqrt() * (angle.sin() - 0.35 * (2 * angle).sin())
    light = torch.tanh(height / np.sqrt(WAVES) * 1.3)[:, :, None]
    colour = torch.tensor([70.0, 120.0, 160.0], dtype=torch.float64).view(1, 1, 3, 1, 1)
    range_ = torch.tensor([60.0, 75.0, 70.0], dtype=torch.float64).view(1, 1, 3, 1, 1)
    return (colour + range_ * light).round().clamp(0, 255).to(torch.uint8)
