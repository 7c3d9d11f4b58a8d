"""Walkers: a condition that is a tree, facts that no net sees, and a codec that holds a fitted number."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from ebmsuite.dataset import InMemory
from ebmsuite.errors import DataError
from ebmsuite.files import write_csv
from ebmsuite.space import Batch, ConditionSpace, Space

PAST, AHEAD = 5, 4
NOWHERE = 1000.0
"""The value at positions that do not exist; no net may see it."""


@dataclass(frozen=True)
class Track:
    """Displacements in metres in rows of a csv file: name, frame, and x and y of each step ahead.

    ``scale`` is the unit of length of events and conditions in metres, fitted to the training data.
    """

    name: ClassVar[str] = "walk/track"

    scale: float

    def read(self, path: Path) -> Batch:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))[1:]
        for i, row in enumerate(rows, 2):
            if len(row) != 2 + 2 * AHEAD:
                raise DataError(f"{path}, line {i}: {len(row)} columns, there must be {2 + 2 * AHEAD}")
        x = torch.tensor([[float(v) for v in row[2:]] for row in rows]).view(-1, AHEAD, 2) / self.scale
        meta = {"name": np.array([r[0] for r in rows]), "frame": np.array([int(r[1]) for r in rows])}
        return Batch(x, index=torch.arange(len(x)), meta=meta)

    def write(self, x: Tensor, path: Path, batch: Batch | None = None) -> None:
        """Write displacements, with the names and frames of ``batch`` if it has any."""
        if path.suffix != ".csv":
            raise DataError(f'{path}: walks are written as .csv, not as "{path.suffix}"')
        meta = {} if batch is None or batch.meta is None else batch.meta
        names, frames = meta.get("name", np.array([""] * len(x))), meta.get("frame", np.zeros(len(x), dtype=np.int64))
        steps = [f"{axis}{t}" for t in range(1, AHEAD + 1) for axis in "xy"]
        metres = (x.detach().cpu() * self.scale).flatten(1).tolist()
        rows = [[str(name), int(frame), *row] for name, frame, row in zip(names, frames, metres, strict=True)]
        write_csv(path, ["name", "frame", *steps], rows)


class Walkers(InMemory):
    """``n`` walkers per split. Event: the next 4 displacements [4, 2] from the last position, in units of the codec.

    A walker goes on straight with its last velocity, twice as fast if it is a cyclist, plus noise of 0.1 m. The
    condition has the last 5 positions ``past``, of which those ``seen`` exist, and the ``scene``: the positions of at
    most ``others`` neighbours, of which those ``there`` exist, the ``kind`` of walker, and a ``map``, which these data
    lack. ``truth`` holds the noise-free displacements; ``meta`` the name and the frame of each walker.
    """

    def __init__(
        self, split: Literal["train", "valid", "test"] = "train", n: int = 256, others: int = 3, varying: bool = False
    ) -> None:
        rng = torch.Generator().manual_seed(["train", "valid", "test"].index(split))
        speed = torch.randn(n, 2, generator=rng)
        cyclist = torch.randint(2, (n,), generator=rng)
        ahead = torch.arange(1, AHEAD + 1)[:, None] * (speed * (1 + cyclist[:, None]))[:, None]
        metres = ahead + 0.1 * torch.randn(ahead.shape, generator=rng)
        past = torch.arange(1 - PAST, 1)[:, None] * speed[:, None]
        seen = torch.rand(n, PAST, generator=rng) < 0.7
        seen[:, -2:] = True
        there = torch.rand(n, others, generator=rng) < 0.5
        neighbours = torch.randn(n, others, 2, generator=rng)
        scale = 4.0
        condition = {
            "past": torch.where(seen[..., None], past / scale, NOWHERE),
            "seen": seen,
            "scene": {
                "neighbours": torch.where(there[..., None], neighbours / scale, NOWHERE),
                "there": there,
                "kind": cyclist,
                "map": None,
            },
        }
        space: ConditionSpace = {
            "past": Space((None if varying else PAST, 2), mask="seen"),
            "seen": Space((None if varying else PAST,), kind="mask"),
            "scene": {
                "neighbours": Space((others, 2), mask="there"),
                "there": Space((others,), kind="mask"),
                "kind": Space((), kind="label", classes=2, names=("pedestrian", "cyclist")),
                "map": Space((4,), optional=True),
            },
        }
        meta = {"name": np.array([f"{split}-{i}" for i in range(n)]), "frame": np.arange(n) * 10}
        super().__init__(
            metres / scale,
            condition,
            codec=Track(scale),
            condition_space=space,
            truth={"ahead": ahead / scale},
            meta=meta,
        )


class Plain(InMemory):
    """The same shape of events without a condition and without a codec."""

    def __init__(self, split: Literal["train", "valid", "test"] = "train", n: int = 64) -> None:
        super().__init__(torch.randn(n, AHEAD, 2, generator=torch.Generator().manual_seed(len(split))))
