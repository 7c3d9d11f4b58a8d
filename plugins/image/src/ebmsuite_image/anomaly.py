"""What is particular to pictures in the scores of `ebmsuite.tasks.anomaly`."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

__all__ = ["smooth"]

SMOOTH = 3
"""Pixels per side of the square that "smoothed" averages over."""


def smooth(residual: Tensor) -> Tensor:
    """Means over 3x3 pixels, with zeros beyond the border: [B, C, H, W].

    So a stroke beside its place counts less than one that is missing.
    """
    return functional.avg_pool2d(residual, SMOOTH, 1, SMOOTH // 2)
