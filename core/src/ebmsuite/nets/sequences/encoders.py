"""Encoders of rows of tokens: q(z | x)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ebmsuite.density import Encoder
from ebmsuite.nets.sequences.layers import classes_of, recurrent, standard_normal
from ebmsuite.space import Space

__all__ = ["Convolutional", "Recurrent", "conv_encoder", "gru_encoder"]


class Recurrent(nn.Module):
    """Bidirectional GRU over the tokens, followed by the mean over the tokens of a row."""

    def __init__(self, classes: int, embedding: int, width: int, out: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, embedding)
        self.onward = nn.GRU(embedding, width, batch_first=True)
        self.back = nn.GRU(embedding, width, batch_first=True)
        self.out = standard_normal(2 * width, out)

    def forward(self, x: Tensor) -> Tensor:
        turned = x.gather(
            1, ((x > 0).sum(1, keepdim=True) - 1 - torch.arange(x.shape[1], device=x.device)).clamp(min=0)
        )
        turned = turned * (x > 0)  # reversed tokens, then padding, so that the result does not depend on the batch
        onward, _ = recurrent(self.onward, self.embedding(x))
        back, _ = recurrent(self.back, self.embedding(turned))
        read: Tensor = self.out(torch.cat([_mean(onward, x), _mean(back, x)], 1))
        return read


class Convolutional(nn.Module):
    """``depth`` residual convolutions of kernel size 5, followed by mean and maximum over the tokens of a row."""

    def __init__(self, classes: int, width: int, depth: int, out: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, width)
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 5, padding=2) for _ in range(depth))
        self.out = standard_normal(2 * width, out)

    def forward(self, x: Tensor) -> Tensor:
        here = (x > 0)[:, None]
        h = self.embedding(x).transpose(1, 2) * here
        for layer in self.layers:
            h = (h + nn.functional.silu(layer(h))) * here
        h = h.transpose(1, 2)
        top = h.masked_fill(x[..., None] == 0, -torch.inf).amax(1)
        read: Tensor = self.out(torch.cat([_mean(h, x), top], 1))
        return read


def _mean(h: Tensor, x: Tensor) -> Tensor:
    """Return the mean [B, D] of h [B, L, D] over the tokens of each row."""
    here = (x > 0)[..., None].to(h.dtype)
    return (h * here).sum(1) / here.sum(1)


def gru_encoder(event: Space, latent: Space, embedding: int = 128, width: int = 256) -> Encoder:
    """Build an encoder q(z | x) with a bidirectional GRU."""
    return Encoder(Recurrent(classes_of(event, "an encoder"), embedding, width, 2 * latent.size), latent)


def conv_encoder(event: Space, latent: Space, width: int = 128, depth: int = 3) -> Encoder:
    """Build an encoder q(z | x) with convolutions. It takes a tenth of the time of a recurrent encoder."""
    return Encoder(Convolutional(classes_of(event, "an encoder"), width, depth, 2 * latent.size), latent)
