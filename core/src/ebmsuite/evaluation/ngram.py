"""An n-gram model of rows of tokens: a baseline in which a token depends only on the last few tokens.

It uses Witten-Bell smoothing (1991), which interpolates with shorter contexts. Let c(h) be the number of occurrences of
a context h, and t(h) the number of different tokens that follow it. Then::

    p(w | h) = (c(h, w) + t(h) p(w | h')) / (c(h) + t(h))

where h' is h without its oldest token. The empty context is interpolated with the uniform distribution over all tokens
except padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebmsuite.tokens import END, FIRST, PAD, TokenRows

__all__ = ["NGram"]

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class _Counts:
    """Counts of the tokens after contexts of one length: sorted codes ``context * classes + token`` and their counts.

    ``before[i]`` is the sum of the counts of ``codes[:i]``.
    """

    codes: Codes
    before: Codes


class NGram:
    """N-gram model whose contexts are the last ``order`` - 1 tokens, 0 before the start of a row.

    ``classes`` is the number of different tokens, including padding and end.
    """

    def __init__(self, rows: TokenRows, classes: int, order: int = 6) -> None:
        """Fit to these rows. Raises `ValueError` if classes^order exceeds 63 bits."""
        if order < 1 or classes**order >= 2**63:
            raise ValueError(f"order {order} with {classes} tokens does not fit into 63 bits")
        self.classes, self.order = classes, order
        token = rows.flat.astype(np.int64)
        place = np.arange(len(token)) - np.repeat(rows.starts[:-1], rows.lengths)
        self._counts: list[_Counts] = []
        context = np.zeros_like(token)
        for k in range(order):
            if k:  # prepend one older token to the context
                older = np.where(place >= k, np.roll(token, k), PAD)
                context = older * classes ** (k - 1) + context
            codes, counts = np.unique(context * classes + token, return_counts=True)
            self._counts.append(_Counts(codes, np.concatenate([[0], counts.cumsum()])))

    def probabilities(self, context: Codes) -> NDArray[np.float64]:
        """Return p of every token, [B, classes], after contexts [B, order - 1], oldest first; 0 for padding."""
        return self._smoothed(context, np.arange(self.classes)[None])

    def _smoothed(self, context: Codes, token: Codes) -> NDArray[np.float64]:
        """Return p, [B, W], of tokens [B, W] or [1, W] after contexts [B, order - 1]."""
        shape = (len(context), token.shape[1])
        p = np.where(np.broadcast_to(token, shape) == PAD, 0, 1 / (self.classes - 1))
        for k, counts in enumerate(self._counts):
            h = self._code(context, k)
            first, last = _range(counts, h, self.classes)
            seen, kinds = counts.before[last] - counts.before[first], last - first
            wanted = h[:, None] * self.classes + token
            row = np.searchsorted(counts.codes, wanted)
            there = counts.codes[np.minimum(row, len(counts.codes) - 1)] == wanted
            times = np.where(there, counts.before[np.minimum(row + 1, len(counts.before) - 1)] - counts.before[row], 0)
            known = seen > 0
            p[known] = ((times + kinds[:, None] * p) / np.maximum(seen + kinds, 1)[:, None])[known]
        return p

    def sample(self, n: int, longest: int, rng: torch.Generator) -> Tensor:
        """Draw ``n`` rows, int64 [n, longest], 0 after the end. Rows of ``longest`` tokens may lack an end."""
        x = np.zeros((n, longest), np.int64)
        context = np.zeros((n, self.order - 1), np.int64)
        going = np.arange(n)
        for i in range(longest):
            token = self._next(context[going], rng)
            x[going, i] = token
            context[going] = np.concatenate([context[going, 1:], token[:, None]], 1) if self.order > 1 else 0
            going = going[token != END]
            if not len(going):
                break
        return torch.from_numpy(x)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p [B] of rows of tokens [B, L], float64, in nats, including the end and excluding padding."""
        rows = x.cpu().numpy()
        padded = np.concatenate([np.zeros((len(rows), self.order - 1), np.int64), rows], 1)
        total = np.zeros(len(rows))
        for i in range(rows.shape[1]):
            on = np.flatnonzero(rows[:, i] != PAD)
            total[on] += np.log(self._smoothed(padded[on, i : i + self.order - 1], rows[on, i, None])[:, 0])
        return torch.from_numpy(total)

    def _next(self, context: Codes, rng: torch.Generator) -> Codes:
        # sample the mixture: with probability c / (c + t) a token that followed h, else one of the shorter context
        draws = torch.rand((self.order + 1, len(context)), generator=rng, device=rng.device, dtype=torch.float64)
        u = draws.cpu().numpy()
        others: Codes = np.array([END, *range(FIRST, self.classes)])
        token: Codes = others[(u[-1] * len(others)).astype(np.int64)]
        left = np.arange(len(context))
        for k in reversed(range(self.order)):
            counts = self._counts[k]
            first, last = _range(counts, self._code(context[left], k), self.classes)
            seen, kinds = counts.before[last] - counts.before[first], last - first
            # one uniform number selects both the mixture component and the token
            target = u[k, left] * (seen + kinds)
            hit = target < seen
            number = counts.before[first] + np.floor(target).astype(np.int64)
            row = np.searchsorted(counts.before, number, side="right") - 1
            token[left[hit]] = counts.codes[row[hit]] % self.classes
            left = left[~hit]
        return token

    def _code(self, context: Codes, k: int) -> Codes:
        """Encode the last ``k`` tokens of contexts [B, order - 1] as one number."""
        code = np.zeros(len(context), np.int64)
        for column in range(context.shape[1] - k, context.shape[1]):
            code = code * self.classes + context[:, column]
        return code


def _range(counts: _Counts, context: Codes, classes: int) -> tuple[Codes, Codes]:
    """Return the start and end indices of the codes of each context."""
    first = np.searchsorted(counts.codes, context * classes)
    return first, np.searchsorted(counts.codes, (context + 1) * classes)
