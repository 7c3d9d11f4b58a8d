"""Tasks that encode molecules as latent vectors and decode them: reconstruction and interpolation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ebmsuite.errors import UserError
from ebmsuite.files import output, write_csv
from ebmsuite_molecule import workers
from ebmsuite_molecule.codec import Strings, truncated
from ebmsuite_molecule.metrics.distances import bit_rows, tanimoto
from ebmsuite_molecule.tasks.inputs import molecules
from ebmsuite_molecule.tasks.latents import batch_of, generator_of, likeliest

if TYPE_CHECKING:
    import torch

    from ebmsuite.model import Facts, Model

__all__ = ["Interpolate", "Reconstruct"]


@dataclass(frozen=True)
class Reconstruct:
    """Reconstruct the first ``n`` molecules x of a file from one draw of z given x each, and write a .csv.

    Its columns are the molecule, its reconstruction (decoded greedily), whether both are the same molecule, and their
    Tanimoto similarity (Morgan fingerprints), which is empty if the reconstruction is invalid.
    """

    n: int = 100

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path, codec = output(out, ".csv", "reconstruct"), model.codec_as(Strings)
        generator_of(model)
        x, total = molecules(model, inputs, self.n, "reconstruct")
        given = codec.decode(x)
        made = likeliest(model, model.infer(batch_of(model, x, codec), rng), codec)
        forms = workers.each("canonical", [*given, *made])
        before, after = forms[: len(given)], forms[len(given) :]
        alike = [_similarity(a, b) if b else None for a, b in zip(before, after, strict=True)]
        rows = [
            (a, b, int(c == d), "" if s is None else f"{s:.4f}")
            for a, b, c, d, s in zip(given, made, before, after, alike, strict=True)
        ]
        write_csv(path, ("smiles", "reconstruction", "same", "similarity"), rows)
        known = [s for s in alike if s is not None]
        return {
            "molecules": len(rows),
            "of": total,
            "truncated": truncated(made),
            "same": sum(r[2] for r in rows) / len(rows),
            "valid": len(known) / len(rows),
            "similarity of the valid": sum(known) / max(1, len(known)),
        }


@dataclass(frozen=True)
class Interpolate:
    """Interpolate from the first to the second molecule of a file, in ``steps`` steps between their latent vectors.

    The points lie on a straight line in latent space; each is decoded greedily. ``out`` has a format that the codec
    writes: .smi, .csv, .png, ...
    """

    steps: int = 8

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        import torch

        if self.steps < 1:
            raise UserError(f"steps: at least 1, got {self.steps}")
        codec = model.codec_as(Strings)
        generator_of(model)
        x, total = molecules(model, inputs, 2, "interpolate")
        if len(x) < 2:
            raise UserError(f"{inputs}: interpolate goes between two molecules, here is one")
        ends = model.infer(batch_of(model, x, codec), rng)
        share = torch.linspace(0, 1, self.steps + 1, device=ends.device).view(-1, *[1] * (ends.dim() - 1))
        strings = likeliest(model, (1 - share) * ends[:1] + share * ends[1:], codec)
        codec.write_strings(strings, out)
        forms = [f for f in workers.each("canonical", strings) if f]
        return {
            "molecules": 2,
            "of": total,
            "points": len(strings),
            "truncated": truncated(strings),
            "valid": len(forms),
            "distinct": len(set(forms)),
        }


def _similarity(one: str, other: str) -> float:
    """Return the Tanimoto similarity, 0 to 1, of the Morgan fingerprints of two molecules."""
    a, b = (bit_rows([on or []]) for on in workers.each("bits", [one, other]))
    return float(tanimoto(a, b))
