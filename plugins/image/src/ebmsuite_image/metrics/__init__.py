"""Metrics of pictures: distances between feature sets, the metrics built on them, and baselines."""

from __future__ import annotations

from ebmsuite.evaluation.distances import (
    frechet,
    inception_score,
    kernel_distance,
    nearest,
    precision_recall,
)
from ebmsuite_image.metrics.anomaly_detection import AnomalyDetection
from ebmsuite_image.metrics.baselines import NoiseImages, PixelGaussian
from ebmsuite_image.metrics.error import Mse
from ebmsuite_image.metrics.given_classes import GivenClasses
from ebmsuite_image.metrics.memorisation import NearestNeighbours
from ebmsuite_image.metrics.patches import Patches
from ebmsuite_image.metrics.quality import Fid, InceptionScore, Kid, PrecisionRecall, Quality

__all__ = [
    "AnomalyDetection",
    "Fid",
    "GivenClasses",
    "InceptionScore",
    "Kid",
    "Mse",
    "NearestNeighbours",
    "NoiseImages",
    "Patches",
    "PixelGaussian",
    "PrecisionRecall",
    "Quality",
    "frechet",
    "inception_score",
    "kernel_distance",
    "nearest",
    "precision_recall",
]
