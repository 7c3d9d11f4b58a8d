"""The decoder ``text/gpt2``: GPT-2 from the library transformers, trained from scratch, with a latent vector.

``pip install "ebmsuite-text[gpt2]"``. Nothing is downloaded: the net has random weights.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from ebmsuite.density import Density, Gaussian
from ebmsuite.errors import DataError, MissingData, RecipeError
from ebmsuite.nets.sequences.decoders import SequenceDensity, SequenceGenerator
from ebmsuite.space import Space

__all__ = ["GPT2", "gpt2", "gpt2_density"]

Attention = Literal["sdpa", "eager"]
"""``sdpa``: torch's fused attention, which has first derivatives only. ``eager``: has derivatives of every order."""


def _library() -> Any:
    """The module transformers. Raises `MissingData`, which gives the command to install it."""
    try:
        import transformers
    except ImportError as error:
        raise MissingData(
            'the decoder "text/gpt2" needs the package transformers: pip install "ebmsuite-text[gpt2]"'
        ) from error
    return transformers


class GPT2(SequenceGenerator):
    """GPT-2 decoder (Radford et al., 2019) of p(x | z).

    Linear maps of z are the first position of the sequence and are added to the embedding of every token, as in OPTIMUS
    (Li et al., EMNLP 2020: "memory" and "embedding"). The output layer is the table of embeddings. Sampling keeps the
    keys and values of earlier positions, so that a token costs one position instead of a pass over all of them.
    """

    def __init__(
        self,
        event: Space,
        latent: Density,
        size: int,
        width: int,
        depth: int,
        heads: int,
        dropout: float,
        longest: int | None,
        attention: Attention,
    ) -> None:
        super().__init__(event, latent, longest)
        if heads < 1 or width % heads:
            raise RecipeError(f"text/gpt2: the heads must divide the width; got heads {heads}, width {width}")
        library = _library()
        config = library.GPT2Config(
            vocab_size=self.classes, n_positions=1 + self.longest, n_embd=width, n_layer=depth, n_head=heads,
            resid_pdrop=dropout, embd_pdrop=dropout, attn_pdrop=dropout, bos_token_id=0, eos_token_id=1,
            attn_implementation=attention,
        )  # fmt: skip
        self.net: Any = library.GPT2Model(config)
        # the scale of GPT-2's other initial weights
        self.prefix, self.everywhere = (nn.Parameter(0.02 * torch.randn(width, size)) for _ in range(2))
        self.numbers_per_row += self.longest * width * (1 + 2 * depth)

    def logits(self, before: Tensor, z: Tensor) -> Tensor:
        if before.shape[1] > self.longest:
            raise DataError(f"a row of {before.shape[1]} tokens, but the decoder's longest is {self.longest}")
        inputs = torch.cat([self._first(z), self._embedded(before, z)], 1)
        return self._read(self.net(inputs_embeds=inputs, use_cache=False).last_hidden_state[:, 1:])

    def begin(self, z: Tensor) -> tuple[Tensor, Any]:
        """Return z and the keys and values of its position."""
        made = self.net(inputs_embeds=self._first(z), use_cache=True)
        return z, made.past_key_values

    def advance(self, last: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Compute the next logits [B, classes - 1]. The cache in ``state`` grows in place: continue each state once."""
        z, cache = state
        made = self.net(inputs_embeds=self._embedded(last[:, None], z), past_key_values=cache, use_cache=True)
        return self._read(made.last_hidden_state[:, 0]), (z, made.past_key_values)

    def _first(self, z: Tensor) -> Tensor:
        """The embedding [B, 1, width] of the first position, which is z."""
        return linear(z, self.prefix)[:, None]

    def _embedded(self, tokens: Tensor, z: Tensor) -> Tensor:
        """Embeddings [B, L, width] of tokens [B, L], without positions."""
        embedded: Tensor = self.net.wte(tokens) + linear(z, self.everywhere)[:, None]
        return embedded

    def _read(self, h: Tensor) -> Tensor:
        """Logits [..., classes - 1] of hidden states [..., width]; padding has none."""
        return linear(h, self.net.wte.weight[1:])


def gpt2(
    event: Space,
    latent: Space,
    width: int = 768,
    depth: int = 12,
    heads: int = 12,
    dropout: float = 0.1,
    longest: int | None = None,
    attention: Attention = "sdpa",
) -> GPT2:
    """Build a GPT-2 decoder with a standard normal latent vector. The defaults are those of the smallest GPT-2.

    Methods that differentiate through chains of z (``graph`` steps of a phase) need ``attention: eager``.
    """
    return GPT2(event, Gaussian(latent), latent.size, width, depth, heads, dropout, longest, attention)


def gpt2_density(
    event: Space, width: int = 768, depth: int = 12, heads: int = 12, dropout: float = 0.1, longest: int | None = None
) -> SequenceDensity:
    """Build GPT-2 without a latent vector: a language model."""
    return SequenceDensity(GPT2(event, Gaussian(Space((0,))), 0, width, depth, heads, dropout, longest, "sdpa"))
