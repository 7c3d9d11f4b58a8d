"""Metrics of sentences: perplexities, variety and copies, and the use of the latent vector."""

from __future__ import annotations

from ebmsuite_text.metrics.latent import LatentUse
from ebmsuite_text.metrics.perplexity import Perplexity
from ebmsuite_text.metrics.samples import Of, drawn, rows_of
from ebmsuite_text.metrics.variety import Variety

__all__ = ["LatentUse", "Of", "Perplexity", "Variety", "drawn", "rows_of"]
