"""Whether a model uses its latent vector."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ebmsuite.dataset import Dataset, fixed_batch
from ebmsuite.density import Encoder
from ebmsuite.errors import UserError
from ebmsuite.learning.latents import ACTIVE, infer
from ebmsuite.scores import Score
from ebmsuite_text.data.sentences import Split
from ebmsuite_text.metrics.samples import sentences_of

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["LatentUse"]


@dataclass(frozen=True)
class LatentUse:
    """``gain``, ``own``, ``kl`` and ``active`` of ``n`` sentences of the split ``set``: 0 after posterior collapse.

    Own is -log p(x | z) with z inferred from x, in nats per sentence. Gain is -log p(x | z') - own, with z' inferred
    from another sentence. KL is KL(q(z | x) || p_0) in nats per sentence, with the encoder q and the latent density
    p_0; active is the number of coordinates whose posterior mean has a variance above 0.01 over the sentences (Burda et
    al., 2016). A model without a normal encoder has neither of the two.
    """

    set: Split = "test"

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Mapping[str, Score]:
        if not model.has_latent:
            raise UserError(f"text/latent: {model.recipe.recipe} has no latent vector")
        batch = fixed_batch(sentences_of(data, self.set), n).to(model.device)
        if len(batch) < 2:
            raise UserError("text/latent: needs at least two sentences, because it exchanges their latent vectors")
        facts = {"set": self.set, "n_samples": len(batch), "model": dict(model.describe())}
        generator, encoder = model.players["generator"], model.players.get("encoder")
        with torch.no_grad():
            z = model.infer(batch, rng)
            own = -generator.log_prob(batch.x, z, batch.condition).double()
            other = -generator.log_prob(batch.x, z.roll(1, 0), batch.condition).double()
            scores = {
                "gain": _mean(other - own, {"metric": "gain of the own z, nats", **facts}),
                "own": _mean(own, {"metric": "-log p(x | own z), nats", **facts}),
            }
            if isinstance(encoder, Encoder):
                drawn = infer(encoder, batch, rng)
                kl = drawn.divergence(generator.latent)
                if kl is not None and drawn.mean is not None:
                    active = int((drawn.mean.flatten(1).var(0, correction=0) > ACTIVE).sum())
                    of = {"of_coordinates": drawn.mean[0].numel()}
                    scores["kl"] = _mean(kl.sum(1).double(), {"metric": "KL(q(z | x) || p_0), nats", **facts})
                    scores["active"] = Score(active, None, None, {"metric": "active units", **facts, **of})
        return scores


def _mean(values: torch.Tensor, facts: dict[str, object]) -> Score:
    mean, error = float(values.mean()), 1.96 * float(values.std()) / math.sqrt(len(values))
    return Score(mean, mean - error, mean + error, facts)
