"""The language models that score sentences: a trigram, or an LSTM."""

from __future__ import annotations

import math
from typing import Any, Literal, Protocol, TypeAlias

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, Stream
from ebmsuite.evaluation.judges import judge
from ebmsuite.evaluation.ngram import NGram
from ebmsuite.nets.sequences.decoders import SequenceDensity, lstm_density
from ebmsuite.space import Space
from ebmsuite.tokens import PAD, Tokenised, TokenRows
from ebmsuite_text.data.sentences import Sentences

__all__ = ["SETTINGS", "JudgeKind", "Scorer", "fitted", "fitted_lstm", "perplexity", "totals", "trained_lstm"]

JudgeKind: TypeAlias = Literal["trigram", "lstm"]

SETTINGS = {
    "version": 1, "embedding": 256, "width": 512, "dropout": 0.5, "lr": 2e-3, "clip": 5.0, "batch": 64, "epochs": 8
}  # fmt: skip
"""The LSTM judge. The papers' has 512 and 1,024 units and a learning rate of 1e-4."""


class Scorer(Protocol):
    """A language model."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p [B] of rows of tokens [B, L], in nats, including the end."""
        ...


def fitted(kind: JudgeKind, tokens: TokenRows, event: Space) -> Scorer:
    """Fit a judge to sentences, for example to samples."""
    return NGram(tokens, event.classes or 0, 3) if kind == "trigram" else fitted_lstm(tokens, event)


def fitted_lstm(tokens: TokenRows, event: Space, seed: int = 0) -> SequenceDensity:
    """Train an LSTM on sentences. The result depends on the sentences and the seed only."""
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
        torch.default_generator.manual_seed(seed)
        net = _net(event)
        _learn(net, Tokenised(tokens, event.classes or 0, event.longest), seed)
    return net.eval().requires_grad_(False)


def trained_lstm(train: Sentences, test: Sentences) -> tuple[SequenceDensity, dict[str, Any]]:
    """Return the LSTM of the training sentences from the cache, and its protocol with its perplexity on ``test``."""
    made = judge(
        "text/lstm",
        {"train": train.digest(), "test": test.digest()},
        SETTINGS,
        lambda: _net(train.event),
        lambda net, rng: _learn(net, train, 0),
        lambda net: {"test_perplexity": perplexity(*totals(net, test.tokens.padded()))},
    )
    return made.net, made.protocol()


def totals(judge: Scorer, x: Tensor, size: int = 256) -> tuple[Tensor, Tensor]:
    """Return -log p, float64, and the numbers of tokens including the end, of rows [N, L]: [N] each."""
    with torch.no_grad():
        values = [-judge.log_prob(part).double() for part in torch.split(x, size)]
    return torch.cat(values), (x != PAD).sum(1)


def perplexity(nats: Tensor, tokens: Tensor) -> float:
    """exp(total negative log-likelihood / total number of tokens, including the ends)."""
    return math.exp(float(nats.sum() / tokens.sum()))


def _net(event: Space) -> SequenceDensity:
    return lstm_density(event, int(SETTINGS["embedding"]), int(SETTINGS["width"]), SETTINGS["dropout"])


def _learn(net: SequenceDensity, data: Dataset, seed: int) -> None:
    batch = min(int(SETTINGS["batch"]), len(data))
    steps = math.ceil(SETTINGS["epochs"] * len(data) / batch)
    optimiser = torch.optim.Adam(net.train().parameters(), SETTINGS["lr"])
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    stream = Stream(data, batch, seed)
    for t in range(steps):
        optimiser.zero_grad(set_to_none=True)
        x = stream.batch(t).x
        loss = -net.log_prob(x).sum() / (x != PAD).sum()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(net.parameters(), SETTINGS["clip"])
        optimiser.step()
        decay.step()
    stream.close()
    net.eval()
