"""The record of the measurements of a diagnosis, and its thresholds."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ebmsuite.diagnosis.long_run import LongRun, Moment, Step
from ebmsuite.diagnosis.volume import Volume

__all__ = ["FAR", "OFF", "SMALL", "TIMES", "Diagnosis"]


FAR = 0.05
"""Samples are not data-like if their distance from held-out data exceeds that of training data by more than this."""
OFF = 1.75
"""Samples are not data-like if their distance to training examples exceeds that of held-out data by this factor."""
TIMES = (1, 3, 10, 30, 100)
"""Default lengths of the chains, in multiples of the number of steps in training."""


SMALL = 50
"""The number of coordinates up to which log Z is estimated by default."""


@dataclass(frozen=True)
class Diagnosis:
    """The measurements. `ebmsuite.diagnosis.words` interprets them."""

    recipe: str
    step_learned: int
    weights: str
    phase: str
    sampler: str
    steps: int
    seed: int
    runs: tuple[LongRun, ...]
    floor: float
    """Distance of training data from held-out data (`energy_distance`)."""
    rhat: float
    ess_bulk: float
    ess_tail: float
    quantities: int
    chains: int
    half_steps: int
    step: Step
    moved: float
    energies: dict[str, Tensor]
    volume: Volume | None
    no_volume: str = ""
    """The reason why ``volume`` is None."""
    conditions: str = ""
    """The source of the conditions of the chains, if the user chose one."""

    @property
    def fresh(self) -> LongRun | None:
        """The chains that start as in training, or None."""
        return next((r for r in self.runs if r.start == "learning"), None)

    @property
    def temperature(self) -> float | None:
        return self.step.temperature

    @property
    def other_temperature(self) -> bool:
        """Whether the chains are known to sample exp(-E / T) with T different from 1."""
        return self.temperature is not None and abs(self.temperature - 1) > 0.05

    def data_like(self, moment: Moment) -> bool:
        """Whether the samples are near the data and cover all of the data."""
        return moment.distance < self.floor + FAR and moment.nearest < OFF

    def below(self, energy: Tensor) -> float:
        """The share of the energies [B] that are below the energies of 99.5 % of the held-out data."""
        return float((energy < self.energies["held-out data"].quantile(0.005)).double().mean())

    @property
    def stays(self) -> bool:
        """Whether the chains of every initialisation end at data-like events with energies that data have."""
        ends = [r.moments[-1] for r in self.runs]
        return all(self.data_like(m) and self.below(m.energy) < 0.05 for m in ends)
