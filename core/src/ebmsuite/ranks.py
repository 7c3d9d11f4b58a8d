"""The processes of a distributed run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["Ranks"]


class Ranks:
    """Collective operations among the processes of a run. With one process each operation is the identity."""

    def __init__(self) -> None:
        together = dist.is_available() and dist.is_initialized()
        self.world: int = dist.get_world_size() if together else 1
        self.rank: int = dist.get_rank() if together else 0

    @property
    def main(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0

    def mean_(self, tensors: Sequence[Tensor]) -> None:
        """Replace the tensors by their means over ranks, in one collective. They must share a dtype and device."""
        if self.world == 1:
            return
        flat = torch.cat([t.flatten() for t in tensors])
        dist.all_reduce(flat)
        flat /= self.world
        for tensor, part in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def mean(self, value: Tensor) -> Tensor:
        """The mean over ranks, for a decision that all ranks must make alike."""
        value = value.clone()
        self.mean_([value])
        return value

    def gather(self, value: Tensor) -> Tensor:
        """The rows of all ranks, in rank order."""
        if self.world == 1:
            return value
        parts = [torch.empty_like(value) for _ in range(self.world)]
        dist.all_gather(parts, value.contiguous())
        return torch.cat(parts)

    def from_main(self, value: Any) -> Any:
        """The value of rank 0, on every rank."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def all_values(self, value: Any) -> list[Any]:
        """The values of all ranks, in rank order."""
        if self.world == 1:
            return [value]
        box: list[Any] = [None] * self.world
        dist.all_gather_object(box, value)
        return box

    def wait(self) -> None:
        """Wait until all ranks have called this."""
        if self.world > 1:
            dist.barrier()
