"""Autoregressive generators of rows of tokens: p(x | z) = prod_t p(x_t | x_1 ... x_{t-1}, z).

An event is a row of tokens as described in `ebmsuite.tokens`. The previous token of the first token is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ebmsuite.density import Density, Gaussian
from ebmsuite.energy import full_precision, in_precision
from ebmsuite.errors import DataError, UserError
from ebmsuite.generator import Generator
from ebmsuite.nets.sequences.layers import classes_of, initialise, longest_of, recurrent
from ebmsuite.space import Space
from ebmsuite.tokens import END
from ebmsuite.tree import Tree

__all__ = ["LSTM", "SequenceDensity", "SequenceGenerator", "Transformer", "lstm", "lstm_density", "transformer"]


MANY = 512
"""Number of tokens from which on `SequenceGenerator` uses faster operations. Their results differ in the last bits, and
their draws are others, so smaller vocabularies keep the first ones: 3,000 tokens, on a CPU, are drawn 66 times as fast
(inverse distribution function instead of `torch.multinomial`) and scored 3.7 times as fast (flat cross entropy)."""


def _inverse(p: Tensor, rng: torch.Generator) -> Tensor:
    """Draw a category [B] from each row of probabilities [B, C] by the inverse of its distribution function."""
    below = p.cumsum(1)
    u = torch.rand(len(p), 1, generator=rng, device=p.device, dtype=p.dtype) * below[:, -1:]
    # u can round up to the total, whose index would be C; categories of probability 0 are never drawn
    last = (below < below[:, -1:]).sum(1, keepdim=True)
    return torch.searchsorted(below, u, right=True).minimum(last)[:, 0]


class SequenceGenerator(Generator):
    """Autoregressive p(x | z) of rows of tokens. A subclass defines `logits`, `begin` and `advance`.

    The generator ignores the condition; the distribution of z can depend on it. ``longest`` is the number of tokens
    after which sampling cuts off a row that has not ended; the default is the maximum length of the data.
    ``numbers_per_row`` is the size of the logits of a row, to which a subclass adds its hidden states.
    """

    draws_events: ClassVar[bool] = True

    def __init__(self, event: Space, latent: Density, longest: int | None) -> None:
        super().__init__(latent)
        self.classes, self.longest = classes_of(event, "a decoder"), longest_of(event, longest)
        self.numbers_per_row = self.longest * self.classes

    def logits(self, before: Tensor, z: Tensor) -> Tensor:
        """Compute the logits of every token, [B, L, classes - 1].

        ``before`` [B, L] are the previous tokens, 0 before the first. The first logit is that of the end, token 1;
        padding has no logit.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no logits")

    def begin(self, z: Tensor) -> Any:
        """Return the initial state for `advance`."""
        raise NotImplementedError(f"{type(self).__name__} defines no begin")

    def advance(self, last: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Compute the logits [B, classes - 1] of the token after ``last`` [B], and the next state."""
        raise NotImplementedError(f"{type(self).__name__} defines no advance")

    def log_prob(self, x: Tensor, z: Tensor, condition: Tree = None) -> Tensor:
        """Return log p(x | z) [B], in nats: the sum over the tokens of a row, including its end.

        Raises `DataError` if x is not int64 [B, L].
        """
        if x.dim() != 2 or x.dtype != torch.int64 or len(x) != len(z):
            raise DataError(
                f"a decoder of sequences scores rows of tokens, int64 [{len(z)}, L], not {x.dtype} {list(x.shape)}"
            )
        before = nn.functional.pad(x[:, :-1], (1, 0))
        with in_precision(self.autocast, z):
            logits = self.logits(before, z)
        logits, target = full_precision(logits), x - 1
        if self.classes < MANY:
            loss = nn.functional.cross_entropy(logits.transpose(1, 2), target, ignore_index=-1, reduction="none")
        else:
            loss = nn.functional.cross_entropy(
                logits.flatten(0, 1), target.flatten(), ignore_index=-1, reduction="none"
            ).view_as(target)
        return -loss.sum(1)

    def decode(
        self,
        z: Tensor,
        rng: torch.Generator,
        condition: Tree = None,
        temperature: float = 1.0,
        likeliest: bool = False,
    ) -> Tensor:
        """Decode tokens [B, longest], each given those before it.

        A token is drawn with probabilities proportional to p^(1 / ``temperature``). With ``likeliest`` it is the most
        likely token (greedy decoding), the limit of temperature 0. Raises `UserError` for a temperature that is not
        above 0.
        """
        if likeliest:
            return self._unrolled(z, lambda logits: logits.argmax(1))
        if not 0 < temperature < math.inf:
            raise UserError(
                f"temperature: must be above 0 and finite, got {temperature:g}; likeliest is the limit at 0"
            )

        def draw(logits: Tensor) -> Tensor:
            below = (logits - logits.amax(1, keepdim=True)) / temperature  # at most 0, so that no temperature overflows
            p = below.softmax(1)
            return torch.multinomial(p, 1, generator=rng)[:, 0] if self.classes < MANY else _inverse(p, rng)

        return self._unrolled(z, draw)

    @torch.no_grad()
    def _unrolled(self, z: Tensor, pick: Callable[[Tensor], Tensor]) -> Tensor:
        x = torch.zeros(len(z), self.longest, dtype=torch.int64, device=z.device)
        last, state = x.new_zeros(len(z)), self.begin(z)
        going = torch.ones(len(z), dtype=torch.bool, device=z.device)
        for t in range(self.longest):
            logits, state = self.advance(last, state)
            last = torch.where(going, 1 + pick(full_precision(logits)), 0)
            x[:, t] = last
            going = going & (last != END)
            if t % 16 == 15 and not bool(going.any()):
                break
        return x


class LSTM(SequenceGenerator):
    """LSTM decoder: h_t = LSTM([embedding(x_{t-1}), z], h_{t-1}), h_0 linear in z, c_0 = 0 (Pang, Han, Wu, 2020).

    ``dropout`` applies to the token embeddings and to the outputs of the recurrence.
    """

    def __init__(
        self, event: Space, latent: Density, size: int, embedding: int, width: int, dropout: float, longest: int | None
    ) -> None:
        super().__init__(event, latent, longest)
        self.embedding = nn.Embedding(self.classes, embedding)
        self.rnn = nn.LSTM(embedding + size, width, batch_first=True)
        self.first = nn.Parameter(torch.empty(width, size))
        self.out = nn.Linear(width, self.classes - 1)
        self.dropout = nn.Dropout(dropout)
        self.numbers_per_row += self.longest * width
        initialise(self)

    def logits(self, before: Tensor, z: Tensor) -> Tensor:
        h, _ = recurrent(self.rnn, self._inputs(before, z), self.begin(z)[1])
        logits: Tensor = self.out(self.dropout(h))
        return logits

    def begin(self, z: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h = nn.functional.linear(z, self.first)[None]
        return z, (h, torch.zeros_like(h))

    def advance(self, last: Tensor, state: Any) -> tuple[Tensor, Any]:
        z, held = state
        h, held = recurrent(self.rnn, self._inputs(last[:, None], z), held)
        return self.out(h[:, 0]), (z, held)

    def _inputs(self, tokens: Tensor, z: Tensor) -> Tensor:
        embedded = self.dropout(self.embedding(tokens))
        return torch.cat([embedded, z[:, None].expand(-1, tokens.shape[1], -1)], 2)


class Transformer(SequenceGenerator):
    """Causal Transformer decoder. A linear map converts z to ``memories`` vectors, which are a prefix of the tokens."""

    def __init__(
        self,
        event: Space,
        latent: Density,
        size: int,
        width: int,
        depth: int,
        heads: int,
        memories: int,
        dropout: float,
        longest: int | None,
    ) -> None:
        super().__init__(event, latent, longest)
        if heads < 1 or memories < 1 or width % heads:
            raise ValueError(
                f"transformer: at least one head and one memory, and a width that the heads divide; "
                f"got heads {heads}, memories {memories}, width {width}"
            )
        self.memories = memories
        self.numbers_per_row += self.longest * width
        self.embedding = nn.Embedding(self.classes, width)
        self.position = nn.Parameter(0.02 * torch.randn(memories + self.longest, width))
        self.prefix = nn.Linear(size, memories * width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, 4 * width, dropout, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, self.classes - 1)

    def logits(self, before: Tensor, z: Tensor) -> Tensor:
        length = self.memories + before.shape[1]
        if before.shape[1] > self.longest:
            raise DataError(f"a row of {before.shape[1]} tokens, but the decoder's longest is {self.longest}")
        prefix = self.prefix(z).view(len(z), self.memories, -1)
        h = torch.cat([prefix, self.embedding(before)], 1) + self.position[:length]
        mask = nn.Transformer.generate_square_subsequent_mask(length, device=z.device, dtype=h.dtype)
        for layer in self.layers:
            h = layer(h, src_mask=mask, is_causal=True)
        logits: Tensor = self.out(self.norm(h[:, self.memories :]))
        return logits

    def begin(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z, torch.zeros(len(z), 0, dtype=torch.int64, device=z.device)

    def advance(self, last: Tensor, state: Any) -> tuple[Tensor, Any]:
        z, before = state
        before = torch.cat([before, last[:, None]], 1)
        return self.logits(before, z)[:, -1], (z, before)


class SequenceDensity(Density):
    """Density p(x) of a decoder whose latent vector has 0 dimensions: a language model, used as baseline."""

    def __init__(self, decoder: SequenceGenerator) -> None:
        super().__init__()
        self.decoder = decoder

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.decoder.decode(torch.zeros(n, 0, device=rng.device), rng)

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        return self.decoder.log_prob(x, torch.zeros(len(x), 0, device=x.device))


def lstm(
    event: Space,
    latent: Space,
    embedding: int = 512,
    width: int = 1024,
    dropout: float = 0.2,
    longest: int | None = None,
) -> LSTM:
    """Build an LSTM decoder with a standard normal latent vector."""
    return LSTM(event, Gaussian(latent), latent.size, embedding, width, dropout, longest)


def transformer(
    event: Space,
    latent: Space,
    width: int = 256,
    depth: int = 4,
    heads: int = 8,
    memories: int = 4,
    dropout: float = 0.1,
    longest: int | None = None,
) -> Transformer:
    """Build a causal Transformer decoder with a standard normal latent vector."""
    return Transformer(event, Gaussian(latent), latent.size, width, depth, heads, memories, dropout, longest)


def lstm_density(
    event: Space, embedding: int = 512, width: int = 1024, dropout: float = 0.2, longest: int | None = None
) -> SequenceDensity:
    """Build an LSTM language model without a latent vector."""
    return SequenceDensity(LSTM(event, Gaussian(Space((0,))), 0, embedding, width, dropout, longest))
