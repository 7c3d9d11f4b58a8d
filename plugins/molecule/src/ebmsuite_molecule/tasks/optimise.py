"""Property optimisation beyond the training data by gradual distribution shifting (Kong et al., UAI 2023)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ebmsuite.errors import UserError
from ebmsuite.files import output, write_csv
from ebmsuite_molecule import workers
from ebmsuite_molecule.chemistry import Property
from ebmsuite_molecule.codec import Strings, truncated
from ebmsuite_molecule.nets.property import PropertyEnergy
from ebmsuite_molecule.tasks.inputs import no_input
from ebmsuite_molecule.tasks.latents import batch_of

if TYPE_CHECKING:
    from ebmsuite.model import Facts, Model

__all__ = ["Optimise"]


@dataclass(frozen=True)
class Optimise:
    """Increase (or, with ``lower``, decrease) ``property`` in rounds of sampling and training.

    Each round draws ``n`` strings conditioned on a target value: the mean of the molecules of the last training set
    plus ``shift`` training standard deviations. RDKit computes their values. The model then trains on the best ``keep``
    molecules of all rounds so far, for ``steps`` steps at ``lr_factor`` times its last learning rates. Optimisation
    stops after ``rounds`` rounds, or after three consecutive rounds that do not improve the mean of the best. Molecules
    longer than the longest training molecule are discarded, so that length alone cannot raise a property. The run's
    checkpoint does not change.

    ``out`` is a .csv of the best molecules, their values and the rounds that drew them.
    """

    property: Property
    lower: bool = False
    rounds: int = 20
    n: int = 512
    keep: int = 256
    shift: float = 0.5
    steps: int = 20
    lr_factor: float = 1.0

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        no_input(inputs, "optimise")
        path, codec = output(out, ".csv", "optimise"), model.codec_as(Strings)
        energy = model.players.get("energy")
        if not isinstance(energy, PropertyEnergy) or self.property not in codec.properties:
            known = f"it knows {', '.join(codec.properties)}" if codec.properties else "it knows none"
            raise UserError(
                f"optimise: {model.recipe.recipe} was not learned with {self.property} ({known}); train "
                "molecule/zinc-property, or set the data's properties and the energy molecule/property"
            )
        if min(self.rounds, self.n, self.keep, self.steps) < 1:
            raise UserError("optimise: rounds, n, keep and steps are at least 1")
        column = codec.properties.index(self.property)
        mean, sd = codec.means[column], codec.sds[column]
        sign = -1.0 if self.lower else 1.0
        found: dict[str, tuple[float, int]] = {}
        aim, best_mean, without = 0.0, -float("inf"), 0
        first: float | None = None
        drawn = cut = 0
        players, last = model.trainer.players, model.step
        for number in range(1, self.rounds + 1):
            target = torch.full((self.n, len(codec.properties)), torch.nan, device=model.device)
            target[:, column] = aim + sign * self.shift
            strings = codec.decode(model.trainer.sample(self.n, rng, target))
            drawn, cut = drawn + len(strings), cut + truncated(strings)
            forms = workers.each("canonical", strings)
            new = [f for f in dict.fromkeys(forms) if f and f not in found]
            _, unfit = codec.encoded(new)  # longer than every training molecule, or with a symbol that none of them has
            new = [f for i, f in enumerate(new) if i not in unfit]
            for form, value in zip(new, workers.each(self.property, new), strict=True):
                found[form] = (value, number)
            if not found:
                raise UserError(f"optimise: none of {self.n} strings is a molecule; train the model longer")
            kept = sorted(found, key=lambda f: sign * found[f][0], reverse=True)[: self.keep]
            now = sum(sign * found[f][0] for f in kept) / len(kept)
            first = now if first is None else first
            without = 0 if now > best_mean else without + 1
            best_mean = max(best_mean, now)
            if without == 3:
                break
            aim = (sign * now - mean) / sd
            players.lr_factor = self.lr_factor
            self._learn(model, codec, kept, [(found[f][0] - mean) / sd for f in kept], column, last, rng)
        ranked = sorted(found, key=lambda f: sign * found[f][0], reverse=True)[: self.keep]
        write_csv(path, ("smiles", self.property, "round"), [(f, f"{found[f][0]:.6g}", found[f][1]) for f in ranked])
        top = [found[f][0] for f in ranked[:3]]
        return {
            "rounds": number,
            "drawn": drawn,
            "truncated": cut,
            "distinct molecules": len(found),
            "training mean": mean,
            "best of the first round, mean of those kept": sign * (first or 0.0),
            "best, mean of those kept": sign * best_mean,
            **{f"top {i}": v for i, v in enumerate(top, 1)},
        }

    def _learn(
        self,
        model: Model,
        codec: Strings,
        forms: list[str],
        values: list[float],
        column: int,
        t: int,
        rng: torch.Generator,
    ) -> None:
        x = codec.encode(forms)
        y = torch.full((len(forms), len(codec.properties)), torch.nan)
        y[:, column] = torch.tensor(values)
        size = min(len(forms), model.recipe.budget.batch)
        model.trainer.players.set_step(t)
        for phase in model.phases.values():
            phase.set_step(t)
        with model.trainer.players.in_mode(train=True):
            for _ in range(self.steps):
                rows = torch.randperm(len(forms), generator=rng, device=rng.device)[:size].cpu()
                batch = replace(batch_of(model, x[rows], codec), condition=y[rows].to(model.device))
                model.trainer.step(t, {"data": batch}, rng)
