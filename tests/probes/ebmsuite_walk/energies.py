"""An energy that reads a condition of the plugin and a number that its codec holds."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ebmsuite.energy import Energy
from ebmsuite.space import ConditionSpace, Space
from ebmsuite.tree import Tree
from ebmsuite_walk.data import AHEAD, Track


class Straight(Energy):
    """The squared deviation in metres from going on with the last velocity, in units of a learned distance."""

    passes_condition = True

    def __init__(self, event: Space, codec: Track, condition: ConditionSpace = None) -> None:
        super().__init__()
        self.unit = codec.scale  # metres
        self.faster = nn.Parameter(torch.ones(2))  # by kind of walker
        self.log_sd = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        velocity = condition["past"][:, -1] - condition["past"][:, -2]
        speed = velocity * self.faster[condition["scene"]["kind"]][:, None]
        ahead = torch.arange(1, AHEAD + 1, device=x.device)[:, None] * speed[:, None]
        metres = self.unit * (x - ahead)
        return metres.square().flatten(1).sum(1) / (2 * (2 * self.log_sd).exp()) + x[0].numel() * self.log_sd
