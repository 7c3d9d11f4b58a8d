"""Normal samples that their codec can draw: signals [C, L] as curves, and pictures [3, H, W]."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ebmsuite.dataset import NormalSamples
from ebmsuite.errors import DataError
from ebmsuite.space import Batch


@dataclass(frozen=True)
class Drawing:
    name: ClassVar[str] = "probe/drawing"

    def read(self, path: Path) -> Batch:
        return Batch(torch.from_numpy(np.load(path)).float())

    def write(self, x: Tensor, path: Path, batch: Batch | None = None) -> None:
        raise DataError(f"{path}: no such format")

    def show(self, x: Tensor, batch: Batch | None = None) -> Tensor:
        x = x.nan_to_num().clamp(-1, 1)
        if x.dim() == 4:
            return ((x + 1) * 127.5).to(torch.uint8).permute(0, 2, 3, 1)
        heights = torch.linspace(1, -1, 17)[:, None]
        return torch.where((x.mean(1, keepdim=True) - heights).abs() < 0.13, 0, 255).to(torch.uint8)


@dataclass(frozen=True)
class Moving(Drawing):
    name: ClassVar[str] = "probe/moving"

    def frames(self, x: Tensor) -> Tensor:
        return torch.stack([self.show(x.roll(t, -1)) for t in range(4)], 1)


class Drawn(NormalSamples):
    def __init__(
        self,
        split: str = "train",
        n: int = 64,
        dim: tuple[int, ...] = (1, 16),
        sd: float = 0.4,
        labels: bool = False,
        moving: bool = False,
    ) -> None:
        super().__init__(split, n, dim, sd=sd, labels=labels)
        self.codec = Moving() if moving else Drawing()
