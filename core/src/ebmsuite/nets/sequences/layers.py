"""Layers and sizes of the decoders and encoders of rows of tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from ebmsuite.errors import RecipeError
from ebmsuite.space import Space

__all__ = ["classes_of", "initialise", "longest_of", "recurrent", "standard_normal"]


def recurrent(rnn: nn.RNNBase, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
    """Run a recurrent network, whose dropout must be 0, with cheap gradients with respect to its inputs.

    cuDNN computes gradients in train mode only. On a CPU, oneDNN's recurrence computes the gradients of the weights
    even if only those of the inputs are needed; in sampling, torch's own recurrence takes 0.4 of its time.
    """
    rnn.training = True
    with nullcontext() if x.is_cuda else _without_onednn():
        h, state = rnn(x, state)
    return h, state


@contextmanager
def _without_onednn() -> Iterator[None]:
    settings: Any = torch.backends.mkldnn
    was, settings.enabled = settings.enabled, False
    try:
        yield
    finally:
        settings.enabled = was


def classes_of(event: Space, net: str) -> int:
    """Return the number of different tokens of an event space. Raises `ValueError` if its events are not tokens."""
    if event.kind != "tokens" or event.classes is None:
        raise ValueError(f"{net} of sequences is for events that are tokens, not {event.kind}")
    return event.classes


def longest_of(event: Space, longest: int | None) -> int:
    """Return the maximum number of tokens of a sample: ``longest``, by default that of the event space.

    Raises `RecipeError` if it is less than the longest row of the data, because the model could not generate that row.
    """
    if longest is None and event.longest is None:
        raise RecipeError("longest: the space of these events states no longest row; set longest of the decoder")
    if longest is not None and longest < max(event.longest or 1, 1):
        raise RecipeError(
            f"longest: {longest} of the decoder is less than the {event.longest or 1} tokens of the longest row of "
            "the training data, its end included, so that samples would be cut off; leave longest out, or raise it"
        )
    return longest or event.longest or 0


def initialise(net: nn.Module) -> None:
    """Initialise every parameter uniformly on (-0.1, 0.1), as in the code of the papers."""
    for parameter in net.parameters():
        nn.init.uniform_(parameter, -0.1, 0.1)


def standard_normal(width: int, out: int) -> nn.Linear:
    """Build the last layer of an encoder, initialised to zero so that q(z | x) starts as N(0, I) for every row."""
    layer = nn.Linear(width, out)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
