"""Metrics of clips: statistics of textures, and errors of recovered voxels."""

from ebmsuite_video.metrics.recovery_error import RecoveryError
from ebmsuite_video.metrics.texture import Texture

__all__ = ["RecoveryError", "Texture"]
