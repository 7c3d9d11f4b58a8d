"""How many rows are computed at once, which limits the memory of chains outside learning, of inference and decoding.

A row costs what its event has in numbers, and what the nets make from it. Most nets make a moderate multiple of the
event. A net that makes much more, such as a decoder with logits over a vocabulary, declares it in the attribute
``numbers_per_row``. The limits depend on shapes and settings only, so the same call always has the same parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

__all__ = ["DECODED", "chunk_size", "numbers_per_row", "rows_at_once"]

ROWS, NUMBERS = 250, 3_072_000
"""Limits of inference and decoding: the number of rows, and of numbers in their events (250 images of 3x64x64)."""
CHAINS = 196_608
"""Limit of chains: numbers in their states (250 chains of 28x28)."""
DECODED = 1000
"""Limit of one call of a generator: the number of rows."""
MADE = 2**27
"""Limit of the numbers that a net makes (512 MiB in float32; gradients need a few times as much)."""


def numbers_per_row(*nets: nn.Module) -> int:
    """The numbers that the nets make per row: the largest ``numbers_per_row`` of their modules, 0 if none has it."""
    return max((int(getattr(m, "numbers_per_row", 0)) for net in nets for m in net.modules()), default=0)


def rows_at_once(event: Sequence[int | None], *nets: nn.Module, most: int = ROWS) -> int:
    """The number of events of this shape that ``nets`` infer or decode at once, at most ``most``.

    A variable length (None) counts as 1.
    """
    numbers = math.prod(n or 1 for n in event)
    return max(1, min(most, NUMBERS // max(1, numbers), MADE // max(1, numbers_per_row(*nets))))


def chunk_size(state: Sequence[int], *nets: nn.Module) -> int:
    """The number of chains with states of this shape, on an energy with ``nets``, that run at once."""
    return max(1, min(CHAINS // max(1, math.prod(state)), MADE // max(1, numbers_per_row(*nets))))
