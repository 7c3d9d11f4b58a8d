"""Metrics of clips: statistics of textures, and errors of recovered voxels."""

from ebmsuite_video.metrics.recovery import Recovery
from ebmsuite_video.metrics.texture import Texture

__all__ = ["Recovery", "Texture"]
