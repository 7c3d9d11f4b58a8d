"""Distance between the patches of samples and the patches of real pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, fixed_batch, split_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation.distances import sliced_wasserstein
from ebmsuite.evaluation.protocol import Split, facts_of
from ebmsuite.model import Model
from ebmsuite.nets.grids import resize
from ebmsuite.scores import Score

__all__ = ["Patches"]


@dataclass(frozen=True)
class Patches:
    """Sliced Wasserstein distance between patches of ``n`` samples and patches of pictures of ``set``.

    Patches are ``window`` x ``window`` pixels in [-1, 1]. The metric gives one score for each of ``factors``, computed
    on pictures reduced by that factor (after Karras et al., ICLR 2018, sec. 5). It compares ``patches`` random patches
    of each side in ``directions`` random directions. ``of`` replaces the samples by a baseline: "data" is other patches
    of the same pictures, the lowest value to expect; "mirrored" is the pictures mirrored left to right, which are
    equally natural but no copies; "noise" is the pixels of the pictures in random order.
    """

    set: Split = "test"
    window: int = 7
    factors: tuple[float, ...] = (1.0, 2.0)
    patches: int = 4096
    directions: int = 256
    of: Literal["model", "data", "mirrored", "noise"] = "model"

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Mapping[str, Score]:
        dataset = split_of(data, self.set)
        real = fixed_batch(dataset, n).x
        own = torch.Generator().manual_seed(0)
        if self.of == "model":
            x = model.sample(n, rng=rng).cpu()
        else:
            x = {"data": real, "mirrored": real.flip(-1), "noise": _shuffled(real, own)}[self.of]
        scores = {}
        for factor in self.factors:
            size = [max(1, round(k / factor)) for k in real.shape[2:]]
            drawn, wanted = (self._some(resize(v.float(), size), own) for v in (x, real))
            value = sliced_wasserstein(drawn, wanted, self.directions, torch.Generator().manual_seed(1))
            facts = facts_of(model, self.of, len(x), dataset) | {
                "split": self.set,
                "n_reference": len(real),
                "patches": self.patches,
                "window": self.window,
                "factor": factor,
                "directions": self.directions,
            }
            scores[f"1/{factor:g}"] = Score(value, protocol=facts)
        return scores

    def _some(self, x: Tensor, rng: torch.Generator) -> Tensor:
        if not 1 <= self.window <= min(x.shape[2:]):
            raise UserError(f"image/patches: windows of {self.window} pixels, the pictures have {list(x.shape[2:])}")
        ends = (len(x), *(n - self.window + 1 for n in x.shape[2:]))
        row, top, left = (torch.randint(end, (self.patches, 1, 1, 1), generator=rng) for end in ends)
        along = torch.arange(self.window)
        channel = torch.arange(x.shape[1]).view(-1, 1, 1)
        return x[row, channel, top + along.view(-1, 1), left + along].flatten(1)


def _shuffled(x: Tensor, rng: torch.Generator) -> Tensor:
    flat = x.flatten(2)
    return flat[:, :, torch.randperm(flat.shape[2], generator=rng)].view_as(x)
