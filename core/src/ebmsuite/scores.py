"""Numbers that judge a model, and the published ones that they stand beside."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from torch import Tensor

from ebmsuite.dataset import Dataset
from ebmsuite.values import plain

if TYPE_CHECKING:
    pass

__all__ = ["Case", "Extractor", "Features", "Published", "Row", "Score", "Status", "Suite"]


@dataclass(frozen=True)
class Score:
    """A value with its uncertainty and everything that one must know to compare it."""

    value: float
    low: float | None = None
    high: float | None = None
    protocol: Mapping[str, Any] = field(default_factory=dict)
    """Split, sample count, image size, resize filter, extractor id, sampler, base rate, ...: plain values."""

    def __str__(self) -> str:
        spread = "" if self.low is None else f" [{self.low:.4g}, {self.high:.4g}]"
        return f"{self.value:.4g}{spread}"


class Features(NamedTuple):
    """What an extractor sees in a batch: features [B, D] and, from a classifier, logits [B, C]."""

    features: Tensor
    logits: Tensor | None


class Extractor:
    """A fixed net that metrics look through. ``id`` is printed and stored with every number."""

    component_kind: ClassVar[str] = "extractor"
    id: str

    def prepare(self, data: Mapping[str, Dataset]) -> None:
        """Called once before use; an extractor that is trained on the data at hand does it here."""

    def protocol(self) -> Mapping[str, Any]:
        """Facts that belong with every number: input size, resize filter, test accuracy."""
        return {}

    def __call__(self, x: Tensor) -> Features:
        raise NotImplementedError(f"{type(self).__name__} defines no __call__")


@dataclass(frozen=True)
class Published:
    """A published value with its source. One marked "memory" is shown grey and is never a target."""

    value: float
    source: str
    mark: Literal["paper", "code", "review", "memory"] = "paper"


@dataclass(frozen=True)
class Case:
    """One row of a domain's evaluation suite.

    ``recipe`` is trained at the budget asked for and judged by ``metric``, a component spec; of several numbers
    ``score`` counts, the first unless said, and its protocol's "metric" is the name shown. ``published`` are values
    that the row is to be read beside; ``bar`` is what counts as a pass, by budget; ``better`` says which way.
    ``needs`` are requirements ("gpu", "module:NAME", "data:NAME", "full-data:NAME", "extractor:NAME"): a case whose
    needs are not met is skipped with the reason.
    ``baselines`` are changes to the metric's settings by which it judges something that learned nothing, by label;
    "score" among them names another of several numbers.
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
    """Changes to the recipe, after its budget: values by dotted key."""
    last: int = 0
    """0 judges the model at the end by ``metric``. Above 0, the mean over the last so many evaluations during learning
    of the recipe's own metric of this label (or name), with the recipe's settings and samples, read from the run;
    ``baselines`` then name other metrics of the recipe, by their label; what changes settings is judged at the end."""
    note: str = ""
    """What of the protocol differs from the published one."""


Status = Literal["pass", "miss", "measured", "skipped"]


@dataclass(frozen=True)
class Row:
    """One case as it came out. ``values`` has one value a seed; without a bar the status is "measured"."""

    case: str
    recipe: str
    metric: str
    status: Status
    values: tuple[float, ...] = ()
    interval: tuple[float, ...] = ()
    """Low and high of a single value, where the metric gives them."""
    better: str = ""
    bar: float | None = None
    published: tuple[Published, ...] = ()
    baselines: Mapping[str, float] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    reason: str = ""
    """Why it was skipped."""
    runs: tuple[str, ...] = ()
    """The run folders that were judged, one a seed."""

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float | None:
        """Standard deviation over seeds; None for one seed."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Suite:
    """All rows, and what they were computed on."""

    what: str
    budget: str
    rows: tuple[Row, ...]
    hardware: str

    def as_json(self) -> str:
        return json.dumps(plain(asdict(self)), indent=1)
