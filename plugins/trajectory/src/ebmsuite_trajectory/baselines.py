"""Forecasts without learning: constant velocity and its random variants."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ebmsuite_trajectory.codec import rotate

__all__ = ["constant_velocity", "random_constant_velocity"]


def constant_velocity(past: Tensor, steps: int) -> Tensor:
    """Continue the last observed step: past [B, observed, 2] -> future [B, steps, 2]."""
    step = past[:, -1:] - past[:, -2:-1]
    return past[:, -1:] + step * torch.arange(1, steps + 1, dtype=past.dtype, device=past.device)[:, None]


def random_constant_velocity(
    past: Tensor, steps: int, k: int, rng: torch.Generator, angle_sd: float = 25.0, log_speed_sd: float = 0.3
) -> Tensor:
    """``k`` futures [B, k, steps, 2] with the last velocity turned by N(0, angle_sd^2) degrees and scaled.

    The factor of the speed is exp N(0, log_speed_sd^2). The angular noise is that of Schoeller et al. (RA-L 2020).
    """
    noise = torch.randn((2, len(past), k), generator=rng, device=rng.device, dtype=past.dtype)
    angle, factor = noise[0] * math.radians(angle_sd), (noise[1] * log_speed_sd).exp()
    straight = constant_velocity(past, steps) - past[:, -1:]
    return past[:, None, -1:] + rotate(straight[:, None] * factor[..., None, None], angle)
