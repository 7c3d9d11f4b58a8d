"""Scores of a model, and the published values that they are compared with."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from ebmsuite.dataset import Dataset
from ebmsuite.values import plain

__all__ = [
    "Case",
    "Difference",
    "Extractor",
    "Features",
    "Mean",
    "Prepared",
    "Published",
    "Row",
    "Score",
    "Status",
    "Suite",
]


@dataclass(frozen=True)
class Score:
    """A value with its uncertainty and the protocol needed to compare it with other values."""

    value: float
    low: float | None = None
    high: float | None = None
    protocol: Mapping[str, Any] = field(default_factory=dict)
    """Split, sample count, image size, resize filter, extractor id, sampler, base rate, ...: plain values."""

    def __str__(self) -> str:
        spread = "" if self.low is None else f" [{self.low:.4g}, {self.high:.4g}]"
        return f"{self.value:.4g}{spread}"


class Features(NamedTuple):
    """The output of an extractor for a batch: features [B, D] and, from a classifier, logits [B, C]."""

    features: Tensor
    logits: Tensor | None


@runtime_checkable
class Prepared(Protocol):
    """A metric, renderer or extractor that checks or trains something before its first use."""

    def prepare(self, data: Mapping[str, Dataset]) -> None:
        """Load packages and weights, or train on ``data`` (split name -> data set). A second call does nothing new.

        `ebmsuite.train` calls this before the first step, on one process, so that an error stops the run at once
        instead of after the last step. Errors: an `ebmsuite.errors.UserError` that says what is missing.
        """
        ...


class Extractor:
    """A fixed net whose features metrics use. ``id`` is printed and stored with every score."""

    component_kind: ClassVar[str] = "extractor"
    id: str

    def prepare(self, data: Mapping[str, Dataset]) -> None:
        """Called once before use. An extractor that must be trained on the given data trains here."""

    def protocol(self) -> Mapping[str, Any]:
        """Facts to report with every score: input size, resize filter, test accuracy."""
        return {}

    def __call__(self, x: Tensor) -> Features:
        raise NotImplementedError(f"{type(self).__name__} defines no __call__")


@dataclass(frozen=True)
class Published:
    """A published value with its source. A value marked "memory" is shown in grey and is never a target."""

    value: float
    source: str
    mark: Literal["paper", "code", "review", "memory"] = "paper"


@dataclass(frozen=True)
class Case:
    """One row of a domain's evaluation suite.

    ``recipe`` is trained at the requested budget and evaluated by ``metric``, a component spec. If the metric gives
    several scores, ``score`` selects one (default: the first); the "metric" entry of its protocol is the name shown.
    ``published`` holds values to compare the row with; ``bar`` is the threshold for a pass, by budget; ``better`` is
    the direction. ``needs`` are requirements ("gpu", "module:NAME", "data:NAME", "full-data:NAME", "extractor:NAME");
    a case with an unmet requirement is skipped and the row gives the reason.
    ``baselines`` are changes to the metric's settings, by label, that make it evaluate a baseline without learning; the
    key "score" selects another of several scores. A baseline with the key "recipe" or "settings" is another model: that
    recipe (default: the recipe of the case) with those settings (default: those of the case) is trained and evaluated
    with the same budget and the same seeds, and compared seed by seed (`Difference`).
    ``seeds`` is the number of runs by budget.
    """

    name: str
    recipe: str
    metric: Mapping[str, Any]
    better: Literal["lower", "higher"]
    n: Mapping[str, int]
    """Samples by budget."""
    score: str = ""
    published: tuple[Published, ...] = ()
    bar: Mapping[str, float] = field(default_factory=dict)
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Requirements by budget."""
    baselines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the recipe, applied after its budget: values by dotted key."""
    last: int = 0
    """0 evaluates the final model by ``metric``. Above 0, the value is the mean over that many last evaluations during
    learning of the recipe's own metric with this label (or name), with the recipe's settings and samples, read from
    the run. ``baselines`` then name other metrics of the recipe by label; baselines that change settings are evaluated
    on the final model."""
    note: str = ""
    """How the protocol differs from the published one."""
    margins: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Bars on differences: budget -> label of a baseline that is another model -> the least advantage over it, in
    standard errors of the difference. 0: better on average; 2: better by more than two standard errors; -2: not worse
    by more than two."""
    group: str = ""
    """Cases and means of one group are shown together, and ``ebm evaluate GROUP`` evaluates them."""


@dataclass(frozen=True)
class Mean:
    """A row of the suite that is the mean over the rows of other cases, for example over several data sets.

    ``of`` names the cases. Values and differences are averaged per seed, so all cases need the same number of seeds; a
    baseline is averaged if all cases have it. The other fields are those of `Case`.
    """

    name: str
    of: tuple[str, ...]
    published: tuple[Published, ...] = ()
    bar: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    margins: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    group: str = ""


@dataclass(frozen=True)
class Difference:
    """Our values minus those of another model with the same metric and seeds: paired, one per seed."""

    values: tuple[float, ...]
    theirs: tuple[float, ...]
    mean: float
    standard_error: float | None
    """Of the mean, from the spread of ``values``; None for one seed."""
    margin: float | None = None
    """The least advantage that the case asks for, in standard errors."""
    runs: tuple[str, ...] = ()
    """The run folders of the other model, one per seed."""

    @classmethod
    def of(
        cls, ours: Sequence[float], theirs: Sequence[float], margin: float | None = None, runs: Sequence[str] = ()
    ) -> Difference:
        """The difference of two lists of values, paired in their order."""
        values = tuple(a - b for a, b in zip(ours, theirs, strict=True))
        error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
        return cls(values, tuple(theirs), statistics.fmean(values), error, margin, tuple(runs))

    def advantage(self, better: str) -> float | None:
        """The mean in standard errors, positive where ours is better; infinite without spread, None for one seed."""
        gain = self.gain(better)
        if self.standard_error is None:
            return None
        if self.standard_error > 0:
            return gain / self.standard_error
        return math.copysign(math.inf, gain) if gain else 0.0

    def gain(self, better: str) -> float:
        """The mean, with the sign that makes positive values good."""
        return -self.mean if better == "lower" else self.mean

    def reaches_margin(self, better: str) -> bool | None:
        """Whether the margin is reached; None if there is none, or if one seed cannot tell."""
        if self.margin is None:
            return None
        if self.margin == 0:
            return self.gain(better) > 0
        advantage = self.advantage(better)
        if advantage is None:
            return None
        return advantage > self.margin if self.margin > 0 else advantage >= self.margin


Status = Literal["pass", "miss", "measured", "skipped"]


@dataclass(frozen=True)
class Row:
    """The result of one case. ``values`` has one value per seed; without a bar the status is "measured"."""

    case: str
    recipe: str
    metric: str
    status: Status
    values: tuple[float, ...] = ()
    interval: tuple[float, ...] = ()
    """Low and high end for a single value, if the metric gives them."""
    better: str = ""
    bar: float | None = None
    published: tuple[Published, ...] = ()
    baselines: Mapping[str, float] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    reason: str = ""
    """Why the case was skipped."""
    runs: tuple[str, ...] = ()
    """The run folders that were evaluated, one per seed."""
    differences: Mapping[str, Difference] = field(default_factory=dict)
    """For each baseline that is another model: the paired difference to it."""
    group: str = ""

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float | None:
        """Standard deviation over seeds; None for one seed."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Suite:
    """All rows of a suite, and the hardware that they were computed on."""

    what: str
    budget: str
    rows: tuple[Row, ...]
    hardware: str

    def as_json(self) -> str:
        return json.dumps(plain(asdict(self)), indent=1)
