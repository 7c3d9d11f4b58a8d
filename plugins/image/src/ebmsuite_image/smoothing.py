"""The smoothing of pictures for the anomaly scores of `ebmsuite.tasks.anomaly_scores`."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

__all__ = ["smooth"]

SMOOTH = 3
"""Side, in pixels, of the square that the score "smoothed" averages over."""


def smooth(residual: Tensor) -> Tensor:
    """Average over 3x3 pixels, with zeros beyond the border: [B, C, H, W] to the same shape.

    A slightly displaced stroke therefore counts less than a missing one.
    """
    return functional.avg_pool2d(residual, SMOOTH, 1, SMOOTH // 2)
