"""What a diagnosis measured."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ebmsuite.diagnosis.chains import LongRun, Moment, Step
from ebmsuite.diagnosis.volume import Volume

__all__ = ["COST", "FAR", "OFF", "SMALL", "TIMES", "Diagnosis"]


FAR = 0.05
"""Distance from the data, beyond that of other data, from which on samples are not data-like."""
OFF = 1.75
"""Distance to the nearest training example, over that of held-out data, from which on samples are beside the data."""
TIMES = (1, 3, 10, 30, 100)


SMALL = 50
"""Coordinates up to which log Z is estimated unless said otherwise."""


COST = 6_500_000
"""Energies that the estimate of log Z evaluates, roughly; for the progress that is shown."""


@dataclass(frozen=True)
class Diagnosis:
    """What was measured. `ebmsuite.diagnosis.words` says what it means."""

    recipe: str
    step_learned: int
    weights: str
    phase: str
    sampler: str
    steps: int
    seed: int
    runs: tuple[LongRun, ...]
    floor: float
    """Distance of training data from held-out data."""
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
    """Why there is no volume."""

    @property
    def fresh(self) -> LongRun | None:
        """The chains that start as in learning."""
        return next((r for r in self.runs if r.start == "learning"), None)

    @property
    def temperature(self) -> float | None:
        return self.step.temperature

    @property
    def other_temperature(self) -> bool:
        """Whether the chains are known to sample exp(-E / T) at a T that is not 1."""
        return self.temperature is not None and abs(self.temperature - 1) > 0.05

    def data_like(self, moment: Moment) -> bool:
        """Whether samples are where the data are, and everywhere where they are."""
        return moment.distance < self.floor + FAR and moment.nearest < OFF

    def below(self, energy: Tensor) -> float:
        """Share of energies [B] below those of 99.5 % of held-out data."""
        return float((energy < self.energies["held-out data"].quantile(0.005)).double().mean())

    @property
    def stays(self) -> bool:
        """Whether chains of every start end like the data, and not at energies that data do not have."""
        ends = [r.moments[-1] for r in self.runs]
        return all(self.data_like(m) and self.below(m.energy) < 0.05 for m in ends)
