"""Scores of pictures: distances of feature sets, the metrics built on them, and baselines."""

from __future__ import annotations

from ebmsuite_image.metrics.baselines import HeldOut, NoiseImages, PixelGaussian
from ebmsuite_image.metrics.distances import (
    frechet,
    inception_score,
    kernel_distance,
    nearest,
    precision_recall,
)
from ebmsuite_image.metrics.memorisation import NearestNeighbours
from ebmsuite_image.metrics.quality import Fid, InceptionScore, Kid, PrecisionRecall, Quality

__all__ = [
    "Fid",
    "HeldOut",
    "InceptionScore",
    "Kid",
    "NearestNeighbours",
    "NoiseImages",
    "PixelGaussian",
    "PrecisionRecall",
    "Quality",
    "frechet",
    "inception_score",
    "kernel_distance",
    "nearest",
    "precision_recall",
]
