"""Symbol-vector coupling: semi-supervised learning by an energy on the latent vector."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ebmsuite.errors import RecipeError
from ebmsuite.learning.latents import infer, temperatures_agree
from ebmsuite.learning.trainer import WATCHED_LATENT, Draws, Logs, Role, Trainer, sides
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["SymbolVector", "mutual_information"]


def mutual_information(logits: Tensor) -> Tensor:
    """I(y, z) in nats of classes y and a batch of vectors z: H(mean p) - mean H(p), p = softmax ``logits`` [B, C]."""
    log_p = logits.log_softmax(1)
    log_mean = log_p.logsumexp(0) - math.log(len(log_p))
    return (log_p.exp() * log_p).sum(1).mean() - (log_mean.exp() * log_mean).sum()


@dataclass
class SymbolVector(Trainer):
    """p(y, z) p(x | z) with p(y, z) = exp(F_y(z)) p_0(z) / Z (Pang et al., 2020; Pang & Wu, ICML 2021).

    The symbol y and the vector z share the logits F: the prior is p(z) = exp(logsumexp F(z)) p_0(z) / Z, the classifier
    is p(y | z) = softmax F(z), and the energy is a `JointEnergy`. With z+ ~ q(z | x) from the encoder and z- ~ p(z)
    from chains, the losses are

        energy:     E(z+) - E(z-)                              - lambda log p(y | z(x)) - w I(y, z+)
        encoder:    log q(z+ | x) + E(z+) - log p(x | z+)      - lambda log p(y | z(x)) - w I(y, z+)
        generator:  log q(z+ | x) + E(z+) - log p(x | z+)

    x is from the stream "data", whose labels are ignored; pairs (x, y) are from "labelled"; z(x) is the mean of
    q(z | x). ``label_weight`` is lambda, 200 in the published code, which makes the labelled step separately from the
    others. ``information_weight`` is the weight w of the information bottleneck (ICML 2021), 100 there; 0 gives the
    model of 2020. Events are classified by softmax F at z(x).
    """

    label_weight: float = 200.0
    information_weight: float = 0.0

    roles: ClassVar[Mapping[str, Role]] = {
        "energy": Role("energy"),
        "generator": Role("generator", condition=lambda s: None),
        "encoder": Role("density", condition=lambda s: None),
    }
    draws: ClassVar[Mapping[str, Draws]] = {"prior": Draws("latent")}
    watched: ClassVar[Mapping[str, tuple[float, float]]] = WATCHED_LATENT
    streams: ClassVar[tuple[str, ...]] = ("data", "labelled")

    def __post_init__(self) -> None:
        for player, word, use in (("energy", "logits", "mlp-classes"), ("encoder", "moments", "mlp-encoder")):
            if not hasattr(self.players[player], word):
                raise RecipeError(f"players.{player}: this component has no {word}; use {use} or another that has")

    def cautions(self) -> list[str]:
        return temperatures_agree(self.phases)

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, labelled = batches["data"], batches["labelled"]
        energy, generator, encoder = (self.players[k] for k in ("energy", "generator", "encoder"))
        # inference and synthesis
        drawn = infer(encoder, data, rng)
        z = drawn.z
        prior = self.phases["prior"].draw(data, rng)
        # learning
        plus, minus = energy(z), energy(prior.x)
        bound = (encoder.log_prob(z, encoder.sees(data)) + plus - generator.log_prob(data.x, z)).mean()
        label_loss = cross_entropy(energy.logits(encoder.moments(encoder.sees(labelled))[0]), labelled.condition)
        information = mutual_information(energy.logits(z))
        coupling = self.label_weight * label_loss - self.information_weight * information
        losses = {"energy": (plus - minus).mean() + coupling, "encoder": bound + coupling, "generator": bound}
        logs = self.players.update(losses)
        return {
            **sides(plus, minus),
            **drawn.use(generator.latent),
            "label_loss": label_loss.detach(),
            "information": information.detach(),
            "z/prior": prior.x.square().mean().sqrt(),
            **logs,
        }

    @torch.no_grad()
    def classify(self, x: Tensor) -> Tensor:
        logits: Tensor = self.players["energy"].logits(self.players["encoder"].moments(x)[0])
        return logits.log_softmax(1)

    def decode(self, z: Tensor, rng: torch.Generator, condition: Tree = None, **how: Any) -> Tensor:
        """One event per latent vector. The generator takes no label: z holds what x shares with it."""
        return super().decode(z, rng, **how)

    @torch.no_grad()
    def infer(self, batch: Batch, rng: torch.Generator) -> Tensor:
        return infer(self.players["encoder"], batch, rng).z
