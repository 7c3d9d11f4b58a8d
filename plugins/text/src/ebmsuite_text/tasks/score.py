"""The task ``text/score``: log-likelihoods of texts."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ebmsuite.errors import UserError
from ebmsuite.files import output, write_csv
from ebmsuite_text.codec import TextCodec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ebmsuite.model import Facts, Model
    from ebmsuite.sampling.marginal import Marginal

__all__ = ["ScoreSentences"]

log = logging.getLogger("ebmsuite")

FEW = 5
"""Effective sample size below which an estimate is reported as unreliable."""


@dataclass(frozen=True)
class ScoreSentences:
    """Write log p(x), in nats, of the first ``n`` texts of a file to a .csv, one row per text.

    Each estimate uses ``draws`` (default 256) importance samples of the latent vector; ``ess`` is their effective
    sample size. If it is near 1, the estimate is too low by nats; a warning counts the texts whose size is below 5.
    One log Z of the prior, by annealed importance sampling, holds for all texts, and its effective sample size is
    stated. A model without a latent vector computes its exact log p(x) and takes no ``draws``. Perplexity is
    exp(-total log p / total tokens, including the ends).
    """

    n: int = 100
    draws: int | None = None

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        import torch

        from ebmsuite.tokens import PAD

        for name, given, least in (("n", self.n, 1), ("draws", self.draws, 2)):
            if given is not None and given < least:
                raise UserError(f"{name}: at least {least}, got {given}")
        exact = "density" in model.players
        if self.draws is not None and exact:
            raise UserError(f"draws: {model.recipe.recipe} has an exact log p(x), score takes no draws; leave it out")
        if inputs is None:
            raise UserError("score works on texts: give it a file of texts as input")
        path, codec = output(out, ".csv", "score"), model.codec_as(TextCodec)
        batch = codec.read(inputs)
        total, batch = len(batch), batch.to(model.device)
        x = batch.x[: self.n]
        tokens = (x != PAD).sum(1)
        facts: Facts = {"texts": len(x), "of": total}
        ess: list[str]
        value: Tensor
        if exact:
            with torch.no_grad():
                value = model.players["density"].log_prob(x).double()
            ess = [""] * len(x)
        else:
            joint, mass = found = _estimates(model, x, rng, self.draws or 256)
            value = found.log_p
            ess = [f"{e:.1f}" for e in joint.ess.tolist()]
            facts |= {
                "smallest ess": float(joint.ess.min()),
                "median ess": float(joint.ess.median()),
                "log Z": f"{float(mass.log_z):.2f} ({float(mass.low):.2f} to {float(mass.high):.2f})",
                "ess of log Z": f"{float(mass.ess):.0f} of {len(mass.log_weights)}",
            }
            if low := int((joint.ess < FEW).sum()):
                log.warning(
                    "score: %d of %d texts have an effective sample size below %d, so that their log p(x) is probably "
                    "too low; raise draws", low, len(x), FEW,
                )  # fmt: skip
        values = [f"{v:.4f}" for v in value.tolist()]
        rows = list(zip(codec.decode(x), values, tokens.tolist(), ess, strict=True))
        write_csv(path, ("text", "log_probability", "tokens", "ess"), rows)
        return facts | {
            "mean log p, nats": float(value.mean()),
            "perplexity": float((-value.sum() / tokens.sum()).exp()),
        }


def _estimates(model: Model, x: torch.Tensor, rng: torch.Generator, draws: int) -> Marginal:
    """Estimate log p(x) of rows of tokens by importance sampling."""
    from ebmsuite.generator import Posterior
    from ebmsuite.sampling import marginal
    from ebmsuite.space import Batch

    if not model.has_latent:
        raise UserError(f"{model.recipe.recipe} has no decoder from a latent vector")
    if model.condition is not None:
        raise UserError(f"{model.recipe.recipe} is conditional; score estimates log p(x) of models without condition")
    generator = model.players["generator"]
    prior = model.phase("prior") if "prior" in model.phases else generator.latent
    energy = model.players.get("energy", generator.latent)
    posterior = model.phase("posterior") if "posterior" in model.phases else Posterior(energy, generator)
    return marginal.log_probability(prior, posterior, Batch(x), model.infer, rng, draws)
