"""The task ``molecule/score``: log-likelihoods of molecules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ebmsuite.errors import UserError
from ebmsuite.files import output, write_csv
from ebmsuite_molecule.codec import Strings
from ebmsuite_molecule.tasks.inputs import molecules
from ebmsuite_molecule.tasks.latents import generator_of, log_probability

if TYPE_CHECKING:
    import torch

    from ebmsuite.model import Facts, Model

__all__ = ["ScoreMolecules"]


@dataclass(frozen=True)
class ScoreMolecules:
    """Write log p(x), in nats, of the first ``n`` molecules of a file to a .csv.

    Each estimate uses ``draws`` (default 256) importance samples. A molecule has many SMILES; the score is the
    log-probability of the string in the file. ``ess`` is the effective sample size; if it is near 1, the estimate is
    too low by nats (`ebmsuite.sampling.importance`). Annealed importance sampling estimates log Z of the prior. A model
    without a latent vector computes its exact log p(x) and does not accept ``draws``.
    """

    n: int = 100
    draws: int | None = None

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        import torch

        if self.draws is not None and self.draws < 2:
            raise UserError(f"draws: at least 2, got {self.draws}")
        if self.draws is not None and "density" in model.players:
            raise UserError(f"draws: {model.recipe.recipe} has an exact log p(x), score takes no draws; leave it out")
        path, codec = output(out, ".csv", "score"), model.codec_as(Strings)
        x, total = molecules(model, inputs, self.n, "score")
        tokens = (x > 0).sum(1)
        facts: Facts = {"molecules": len(x), "of": total}
        if "density" in model.players:
            with torch.no_grad():
                value = model.players["density"].log_prob(x).double()
            ess = [""] * len(x)
        else:
            generator_of(model)
            found = log_probability(model, x, codec, rng, self.draws or 256)
            (joint, mass), value = found, found.log_p
            facts |= {
                "smallest ess": float(joint.ess.min()),
                "median ess": float(joint.ess.median()),
                "log Z": f"{float(mass.log_z):.2f} ({float(mass.low):.2f} to {float(mass.high):.2f})",
            }
            ess = [f"{e:.1f}" for e in joint.ess.tolist()]
        values = [f"{v:.4f}" for v in value.tolist()]
        rows = list(zip(codec.decode(x), values, tokens.tolist(), ess, strict=True))
        write_csv(path, ("smiles", "log_probability", "tokens", "ess"), rows)
        return facts | {
            "mean log p, nats": float(value.mean()),
            "nats a token": float(value.sum() / tokens.sum()),
        }
