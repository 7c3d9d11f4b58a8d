"""A trained model, as `load` returns it, and the tasks that use it. It works without the training data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from ebmsuite.dataset import Codec, Dataset
from ebmsuite.energy import Energy, warn_if_rounded
from ebmsuite.errors import DataError, PluginError, UserError
from ebmsuite.experiment import provenance
from ebmsuite.experiment.build import Experiment
from ebmsuite.experiment.checkpoints import Checkpoints, newest
from ebmsuite.experiment.recipe import Recipe, read_stored
from ebmsuite.files import printable, replacing
from ebmsuite.learning import Trainer
from ebmsuite.memory import rows_at_once
from ebmsuite.pictures.events import drawn_by, write_events
from ebmsuite.plugins.registry import Registry
from ebmsuite.sampling import Phase
from ebmsuite.scores import Score
from ebmsuite.space import Batch, ConditionSpace, Space, condition_misfit
from ebmsuite.tree import Tree, flatten, to_host, tree_map
from ebmsuite.values import conform, plain

__all__ = ["Facts", "Metric", "Model", "Renderer", "Task", "apply", "load"]

C = TypeVar("C")

Facts: TypeAlias = dict[str, float | int | str]
"""Facts about what a task did, by name. The command line prints them."""


class Model:
    """The nets of a run, in eval mode, with everything needed to use them.

    ``players`` are the nets (their moving averages if the run kept these). ``event`` and ``condition`` are the model's
    spaces. ``codec`` reads and writes the user's files. ``streams`` holds the splits of all data streams of the run,
    and ``data`` those of the first stream. The data must be on this machine only when a split is accessed.
    """

    def __init__(self, experiment: Experiment, step: int, weights: str) -> None:
        self.recipe: Recipe = experiment.recipe
        self.trainer: Trainer = experiment.trainer
        self.phases: Mapping[str, Phase] = experiment.trainer.phases
        self.players: Mapping[str, Any] = experiment.trainer.players
        self.event: Space = experiment.event
        self.condition: ConditionSpace = experiment.condition
        self.codec: Codec | None = experiment.codec
        self.device: torch.device = experiment.device
        self.streams: Mapping[str, Mapping[str, Dataset]] = experiment.splits
        self.data: Mapping[str, Dataset] = next(iter(experiment.splits.values()))
        self.step, self.weights = step, weights

    def __repr__(self) -> str:
        shape = list(self.event.shape)
        return f"<Model of {self.recipe.recipe} at step {self.step}: events {shape}, {self.weights} weights>"

    def generator(self, seed: int) -> torch.Generator:
        """A new random generator with this seed on the model's device."""
        return torch.Generator(self.device).manual_seed(seed)

    def sample(
        self,
        n: int,
        seed: int = 0,
        condition: Tree = None,
        rng: torch.Generator | None = None,
        temperature: float = 1.0,
        likeliest: bool = False,
    ) -> Tensor:
        """Draw ``n`` events [n, *event] with the sampling method of the model, on the model's device.

        ``rng``, if given, replaces the generator made from ``seed``. Samples from two seeds are independent.
        ``temperature`` and ``likeliest`` are those of `decode`; latent vectors are always drawn at temperature 1.
        Errors: `UserError` when the condition does not fit the model or ``n``, when a sample is not finite, or as in
        `decode`.
        """
        condition = self._checked(condition, n)
        rng = rng or self.generator(seed)
        x: Tensor
        if self._how(temperature, likeliest):
            z = self.trainer.sample_latent(n, rng, condition)
            x = self.decode(z, rng, condition, temperature, likeliest)
        else:
            x = self.trainer.sample(n, rng, condition)
        if not torch.isfinite(x).all():
            raise UserError(f"{self.recipe.recipe}: the chains end at values that are not finite (step {self.step})")
        return x

    @torch.no_grad()
    def starts(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        """``n`` events [n, *event] at which the chains of samples start; latent vectors are decoded.

        These are the chains of the phase "negative", or else of "prior". A score of them, beside that of the samples,
        shows what the chains contribute. Errors: `UserError` when the model has neither phase.
        """
        given = self._checked(condition, n)
        if "negative" in self.phases:
            return self.phases["negative"].chains.start(n, rng, None, given).x
        return self.decode(self.phase("prior").chains.start(n, rng, None, given).x, rng, given)

    def sample_for(
        self, batch: Batch, k: int, rng: torch.Generator, temperature: float = 1.0, likeliest: bool = False
    ) -> Tensor:
        """Draw ``k`` independent events per row of ``batch``, given the row's condition: [B, k, *event].

        Only the condition of the batch is read. `sample` draws the rows in parts (`rows_at_once`). Errors: `UserError`
        as in `sample`, or when ``k`` is below 1.
        """
        if k < 1:
            raise UserError(
                f"{self.recipe.recipe}: k, the number of samples per condition, must be at least 1, got {k}"
            )
        given = Batch(torch.empty(len(batch), 0), batch.condition).to(self.device).repeat_interleave(k)
        self._checked(given.condition, len(given))
        parts = given.parts(self.rows_at_once(self.event.shape))
        x = [self.sample(len(p), 0, p.condition, rng, temperature, likeliest) for p in parts]
        drawn = torch.cat(x)
        return drawn.view(len(batch), k, *drawn.shape[1:])

    @torch.no_grad()
    def energy(self, x: Tensor, condition: Tree = None, player: str = "energy") -> Tensor:
        """Energies [B] of events, or of latent vectors if ``player`` is an energy of latent vectors.

        Errors: `UserError` when the player, the shape of x or the condition does not fit the model.
        """
        energy = self.players.get(player)
        if not isinstance(energy, Energy):
            names = ", ".join(n for n, net in self.players.items() if isinstance(net, Energy)) or "none"
            raise UserError(f'{self.recipe.recipe}: "{player}" is not one of its energies (it has: {names})')
        of_latent = self.recipe.players[player]["of"] == "latent"
        space = Space(self.recipe.latent or ()) if of_latent else self.event
        if misfit := space.misfit(x):
            what = "latent vectors" if of_latent else "events"
            raise UserError(f"{self.recipe.recipe}: these are not {what} of the model: {misfit}")
        if not energy.noise_conditional:  # otherwise the condition is a noise level
            condition = self._checked(condition, len(x))
        value: Tensor = energy(x.to(self.device), condition)
        warn_if_rounded(value, self.recipe.recipe)
        return value

    def _checked(self, condition: Tree, n: int) -> Tree:
        """The condition on the model's device. `UserError` if it does not fit the model or ``n``."""
        own = any(role.condition is not None for role in self.trainer.roles.values())
        if condition is not None and not own:  # a trainer that gives its players other conditions checks them itself
            if self.condition is None:
                raise UserError(f"{self.recipe.recipe}: the model is unconditional; it takes no condition")
            if misfit := condition_misfit(self.condition, condition, n):
                raise UserError(f"{self.recipe.recipe}: the condition does not fit the model: {misfit}")
        return tree_map(lambda v: v.to(self.device), condition)

    def codec_as(self, kind: type[C]) -> C:
        """The model's codec, if it is of this kind. `UserError` if it is not, or if the model has no codec."""
        if isinstance(self.codec, kind):
            return self.codec
        wanted = getattr(kind, "name", kind.__name__)
        found = "has no codec" if self.codec is None else f'has the codec "{self.codec.name}"'
        raise UserError(f'{self.recipe.recipe}: the model {found}; this needs data with the codec "{wanted}"')

    @property
    def has_latent(self) -> bool:
        """Whether this is a model of latent vectors, from which a generator makes events.

        A model with an energy of events is not, even if a generator proposes events to it (cooperative learning).
        """
        if "generator" not in self.players:
            return False
        return "energy" not in self.players or bool(self.recipe.players["energy"]["of"] == "latent")

    def rows_at_once(self, event: Sequence[int | None]) -> int:
        """The number of events of this shape that the players infer or decode at once, which limits the memory."""
        return rows_at_once(event, *self.players.values())

    @torch.no_grad()
    def infer(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """Infer one latent vector z per event, [B, *latent], with the method of the model.

        The batch is processed in parts (`rows_at_once`). Errors: `UserError` when the model does not infer latent
        vectors, or a chain ends at a value that is not finite.
        """
        parts = batch.to(self.device).parts(self.rows_at_once(batch.x.shape[1:]))
        z = torch.cat([self.trainer.infer(part, rng) for part in parts])
        if not torch.isfinite(z).all():
            raise UserError(
                f"{self.recipe.recipe}: the inferred latent vectors are not finite; are the steps of the posterior "
                "chains too long?"
            )
        return z

    @torch.no_grad()
    def decode(
        self,
        z: Tensor,
        rng: torch.Generator,
        condition: Tree = None,
        temperature: float = 1.0,
        likeliest: bool = False,
    ) -> Tensor:
        """Decode latent vectors z [B, *latent] to events [B, *event] with the generator.

        A generator of discrete events draws them at ``temperature``, or returns the likeliest with ``likeliest``. The
        batch is processed in parts (`rows_at_once`). Errors: `UserError` when the model has no generator, or when
        ``temperature`` or ``likeliest`` is set for a model whose events are not drawn by a generator.
        """
        how = self._how(temperature, likeliest)
        parts = Batch(z, condition).to(self.device).parts(self.rows_at_once(self.event.shape))
        return torch.cat([self.trainer.decode(part.x, rng, part.condition, **how) for part in parts])

    def _how(self, temperature: float, likeliest: bool) -> dict[str, Any]:
        """The arguments of the generator's `decode` that differ from its defaults."""
        if temperature == 1 and not likeliest:
            return {}
        if likeliest and temperature != 1:
            raise UserError("temperature: leave it out for the likeliest event, which is the same at every temperature")
        if not self.has_latent or not self.players["generator"].draws_events:
            raise UserError(
                f"{self.recipe.recipe}: temperature and likeliest are for a generator that draws discrete events, "
                "such as a decoder of sequences; this model has none"
            )
        return {"temperature": temperature, "likeliest": likeliest}

    def sample_latent(self, n: int, rng: torch.Generator, condition: Tree = None, steps: int | None = None) -> Tensor:
        """Draw ``n`` latent vectors [n, *latent] with the method of the model (`Trainer.sample_latent`).

        ``steps`` draws them from chains of this length of the phase "prior" instead. Errors: `UserError` when the model
        is not a model of latent vectors (`has_latent`), or when ``steps`` is given and there is no phase "prior".
        """
        if not self.has_latent:
            raise UserError(f"{self.recipe.recipe}: this is not a model of latent vectors")
        if steps is not None:
            return self.phase("prior").sample(n, rng, condition, steps=steps)
        return self.trainer.sample_latent(n, rng, condition)

    def as_events(self, x: Tensor, rng: torch.Generator, condition: Tree = None) -> Tensor:
        """Convert states of this model's chains to events: decode latent vectors, and return events unchanged.

        If events and latent vectors have the same shape, x is treated as latent vectors if `has_latent`, else as
        events.
        """
        is_latent = tuple(x.shape[1:]) == self.recipe.latent and (self.has_latent or bool(self.event.misfit(x)))
        return self.decode(x, rng, condition) if is_latent else x

    def phase(self, name: str) -> Phase:
        """The phase ``name`` of the trainer. `UserError`, with a list of the phases, if there is no such phase."""
        if name not in self.phases:
            raise UserError(f'{self.recipe.recipe} has no phase "{name}" (it has: {", ".join(self.phases)})')
        return self.phases[name]

    def describe(self) -> dict[str, Any]:
        """The facts to report with every score of this model: recipe, step, weights and samplers."""
        return {
            "recipe": self.recipe.recipe,
            "step": self.step,
            "weights": self.weights,
            "phases": plain(self.recipe.phases),
        }

    def write(self, x: Tensor, path: str | Path, batch: Batch | None = None) -> None:
        """Write events: raw numbers for .safetensors and .npy, pictures (.png, .gif, ...), or a format of the codec.

        Pictures are sheets if the codec has a method ``show``, and films if it has ``frames``. ``batch`` has the
        condition and the ``meta`` of the same rows, for formats that keep them. A .safetensors file keeps the
        condition: the tensor "condition", or "condition.PATH" per leaf of a tree.
        """
        path = Path(path)
        if path.suffix == ".npy":
            with replacing(path) as aside:
                np.save(aside, x.detach().cpu().numpy(), allow_pickle=False)
        elif path.suffix == ".safetensors":
            with replacing(path) as aside:
                given = {} if batch is None else flatten(batch.condition, "condition")
                save_file({k: to_host(v) for k, v in {"x": x, **given}.items()}, aside)
        elif drawn_by(self.codec, path.suffix.lower()):
            write_events(self.codec, x, path, batch=batch)
        elif self.codec is None:
            raise DataError(f"{path}: these events can be written as .safetensors or .npy")
        else:
            self.codec.write(x, path, batch)


def load(
    run: str | Path, checkpoint: str | None = None, device: str = "auto", registry: Registry | None = None
) -> Model:
    """Load the model of a run folder, with averaged weights if the run kept them.

    ``checkpoint`` is "best", a step, or None for the newest.
    """
    folder = Path(run)
    registry = registry or Registry()
    recipe = read_stored(folder, registry)
    data = provenance.read(folder)
    spaces = {"event": conform(data["event"], Space, "event"), "condition": provenance.space_of(data["condition"])}
    codec = registry.build("codec", registry.fill("codec", data["codec"], "codec")) if data["codec"] else None
    experiment = Experiment.without_data(recipe, registry, spaces, codec, data["examples"], device, data.get("streams"))
    step = Checkpoints(folder, recipe).load_model(newest(folder, checkpoint, recipe), experiment)
    weights = "ema" if experiment.trainer.players.ema else "raw"
    experiment.to_use()
    return Model(experiment, step, weights)


class Metric(Protocol):
    """A component registered under `ebm_metrics`: it computes scores. Its fields are its settings.

    A metric that needs packages, weights or a trained extractor may also define `ebmsuite.scores.Prepared.prepare`.
    """

    def __call__(
        self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int
    ) -> Score | Mapping[str, Score]:
        """Compute one score, or several by name from one computation.

        ``data`` maps "train", "valid" and "test" to data sets. ``n`` is the number of samples.
        """
        ...


def apply(
    what: str | Path | Model,
    task: str,
    input: str | Path | None = None,
    *,
    out: str | Path,
    seed: int = 0,
    checkpoint: str | None = None,
    device: str = "auto",
    registry: Registry | None = None,
    settings: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Run a task (see ``ebm list task``) with the model of a run folder or with a `Model`, and return its facts.

    ``input`` is the user's file or folder, ``out`` is the file or folder to write. Pass the task's settings as keyword
    arguments, or in ``settings`` if a name is already a parameter of this function. ``checkpoint`` and ``device`` are
    those of `load`. An unknown task, setting or input raises `UserError` before the model is loaded.
    """
    registry = registry or Registry()
    spec = registry.fill("task", {"name": task, **(settings or {}), **more}, task)
    if input is not None and not Path(input).exists():
        raise DataError(f"{printable(input)}: no such file or folder")
    if isinstance(what, Model):
        if checkpoint is not None or device != "auto":
            raise UserError("apply: checkpoint and device are for a run folder; this model is loaded already")
        model = what
    else:
        model = load(what, checkpoint, device, registry)
    made = registry.build("task", spec)
    facts = made(model, None if input is None else Path(input), Path(out), model.generator(seed))
    if not isinstance(facts, Mapping):
        raise PluginError(f'task "{task}" must give a mapping of facts, got {facts!r}')
    return dict(facts)


class Task(Protocol):
    """A component registered under `ebm_tasks`: a use of a trained model. Its fields are its settings."""

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        """Write ``out`` from ``inputs``, if the task reads any. Check ``out`` first with `ebmsuite.files.output`."""
        ...


class Renderer(Protocol):
    """A component registered under `ebm_renderers`: it draws a model during learning. Its fields are its settings."""

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        """Write files into ``folder`` and return their paths; ``n`` is the number of samples to show."""
        ...
