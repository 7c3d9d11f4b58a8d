"""Samples as files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ebmsuite_image.tasks.parts import Facts, codec_of, finite

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["Generate"]


@dataclass(frozen=True)
class Generate:
    """``n`` samples, in the format that the ending of ``out`` names (see the codec).

    With ``steps``, chains of that many steps in the phase "negative", ``batch`` at a time; without, as the
    method draws.
    """

    n: int = 64
    steps: int | None = None
    batch: int = 250

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        codec = codec_of(model)
        x = (
            model.sample(self.n, rng=rng, batch=self.batch)
            if self.steps is None
            else self._chains(model, rng)
        )
        codec.write(x, out)
        return {"samples": self.n, "lowest": x.min().item(), "highest": x.max().item()}

    def _chains(self, model: Model, rng: torch.Generator) -> Tensor:
        phase, sizes = model.phase("negative"), [self.batch] * (self.n // self.batch)
        sizes += [self.n % self.batch] if self.n % self.batch else []
        parts = [phase.sample(size, rng, steps=self.steps) for size in sizes]
        return finite(torch.cat(parts), "generate")
