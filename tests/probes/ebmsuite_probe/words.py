"""A discrete data set, and an energy with batch statistics."""

from __future__ import annotations

import torch
from torch import nn

from ebmsuite.dataset import InMemory
from ebmsuite.energy import Tilted
from ebmsuite.nets.mlp import reference
from ebmsuite.space import Space


class Words(InMemory):
    def __init__(self, split: str = "train") -> None:
        letters = torch.randint(3, (64, 5), generator=torch.Generator().manual_seed(0))
        super().__init__(nn.functional.one_hot(letters, 3).float(), kind="one-hot")


def coupled(event: Space) -> Tilted:
    net = nn.Sequential(nn.Flatten(), nn.Linear(event.size, 4), nn.BatchNorm1d(4), nn.Linear(4, 1), nn.Flatten(0))
    return Tilted(net, reference(event, 1.0))
