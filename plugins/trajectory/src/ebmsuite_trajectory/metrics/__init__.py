"""Metrics of forecasts, and of learned costs."""

from __future__ import annotations

from ebmsuite_trajectory.metrics.forecast import Forecast
from ebmsuite_trajectory.metrics.weights import Weights

__all__ = ["Forecast", "Weights"]
