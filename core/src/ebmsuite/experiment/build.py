"""Build the objects that a recipe describes: data streams, players, phases and a trainer."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from ebmsuite.dataset import Codec, Dataset, Stream
from ebmsuite.errors import DataError, RecipeError
from ebmsuite.experiment import checks, provenance, trained
from ebmsuite.experiment.recipe import Recipe
from ebmsuite.learning import Draws, Optimiser, Players, Role, Spaces, Trainer
from ebmsuite.plugins.registry import Registry
from ebmsuite.ranks import Ranks
from ebmsuite.sampling import Phase
from ebmsuite.sampling.fast import FastPath, Route, channels_last
from ebmsuite.space import ConditionSpace, Space
from ebmsuite.values import plain

__all__ = ["Experiment", "Splits", "pick_device"]

log = logging.getLogger("ebmsuite")

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16}


class Splits(Mapping[str, Dataset]):
    """The splits of a stream's data set. Each split is built on first access.

    ``codec`` is the codec of a model: a data set with a different codec raises a `DataError`.
    ``stored`` is the description of the stream in a run (`provenance.describe_stream`): if the training examples
    differ from it, the suite warns, and ``changes`` lists the differences, which every score reports.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        registry: Registry,
        codec: Codec | None = None,
        stored: Mapping[str, Any] | None = None,
    ) -> None:
        self._spec, self._registry, self._codec, self._stored = spec, registry, codec, stored
        self._made: dict[str, Dataset] = {}
        self.changes: list[str] = []

    def __getitem__(self, split: str) -> Dataset:
        if split not in self._made:
            spec = {**self._spec, "split": split}
            if "split" not in self._registry.parameters("dataset", spec["name"]):
                raise RecipeError(f'data set "{spec["name"]}" has no splits')
            made: Dataset = self._registry.build("dataset", spec)
            if self._codec is not None and made.codec is not None and made.codec != self._codec:
                raise DataError(
                    f"{spec['name']}: the data on this machine are not the data that the model was trained on "
                    f"(their codecs differ); set EBMSUITE_DATA to the folder that was used for training"
                )
            if split == "train" and self._stored is not None:
                self.changes = provenance.changes(self._spec["name"], self._stored, provenance.describe_stream(made))
                for change in self.changes:
                    log.warning("%s", change)
            self._made[split] = made
        return self._made[split]

    def __iter__(self) -> Iterator[str]:
        return iter(("train", "valid", "test"))

    def __len__(self) -> int:
        return 3


class Experiment:
    """The objects that a recipe describes, built for one process.

    The nets are initialised from the global generator with the recipe's seed, so all processes start with the same
    weights. ``sources`` holds the weights of players that come from another run.
    """

    def __init__(
        self,
        recipe: Recipe,
        registry: Registry,
        event: Space,
        condition: ConditionSpace,
        codec: Codec | None,
        examples: int,
        device: torch.device,
        ranks: Ranks | None = None,
        sources: Mapping[str, trained.TrainedPlayer] = MappingProxyType({}),
    ) -> None:
        self.recipe, self.registry, self.device = recipe, registry, device
        self.event, self.condition, self.codec = event, condition, codec
        self.ranks = ranks or Ranks()
        latent = Space(recipe.latent) if recipe.latent else None
        spaces: dict[str, Any] = {"event": event, "condition": condition}
        if latent is not None:
            spaces["latent"] = latent
        if codec is not None:
            spaces["codec"] = codec
        torch.manual_seed(recipe.seed)
        trainer: Any = registry.resolve("trainer", recipe.trainer["name"])
        known = Spaces(event, condition, latent, recipe.trainer)
        nets: dict[str, nn.Module] = {}
        for name, spec in recipe.players.items():
            role: Role = trainer.roles[name]
            own = role.event(known) if role.event else checks.space_of(recipe, name, spaces)
            given = {**spaces, "event": own, "condition": role.condition(known) if role.condition else condition}
            try:
                net = nets[name] = registry.build(role.kind, spec, **given).to(device)
            except ValueError as error:  # events that it is not for, or numbers that contradict each other
                raise RecipeError(f"players.{name}: {error}") from error
            target = registry.resolve(role.kind, trained.architecture(spec)["name"])
            checks.condition_is_taken(recipe, name, net, target, given["condition"])
            checks.level_of_noise_is_given(recipe, name, net, role)
            if name in sources:
                here = {"event": event, "condition": condition, "latent": recipe.latent}
                read = {"name": codec.name, **plain(codec)} if codec is not None else None
                sources[name].load(name, net, {**here, "codec": read})
            _autocast(net, PRECISIONS[recipe.compute.precision])
            channels_last(net)
        optimisers = {n: self._optimiser(spec) for n, spec in recipe.optimisers.items()}
        players = Players(nets, optimisers, self.ranks)
        checks.latent_is_known(trainer.draws, spaces)
        given = {**spaces, "ranks": self.ranks, "examples": examples}
        energies = trainer.energies(players)
        phases: dict[str, Phase] = {}
        for name, spec in recipe.phases.items():
            draws: Draws = trainer.draws[name]
            checks.energy_is_of_the_space(recipe, name, energies[name], players, draws)
            phases[name] = self._phase(name, spec, energies[name], {**given, "event": spaces[draws.space]})
            checks.chains_are_proposed(recipe, name, phases[name], draws)
            checks.chains_are_counted(recipe, name, phases[name], draws)
        self.trainer: Trainer = registry.build("trainer", recipe.trainer, **spaces, players=players, phases=phases)
        self.streams: dict[str, Stream] = {}
        self.splits: dict[str, Splits] = {}

    @classmethod
    def with_data(
        cls, recipe: Recipe, registry: Registry, device: torch.device, ranks: Ranks, resume: bool = False
    ) -> Experiment:
        """Build the experiment with its data streams, for training.

        Unless ``resume``, players that come from another run get their weights from there; the recipe of the experiment
        then has their architectures. To ``resume``, a checkpoint has the weights of all players.
        """
        recipe, sources = (recipe, {}) if resume else trained.complete(recipe, registry)
        datasets: dict[str, Dataset] = {k: registry.build("dataset", spec) for k, spec in recipe.data.items()}
        first = next(iter(datasets.values()))
        checks.streams_agree(datasets)
        checks.conditions_are_sound(datasets)
        condition = next((d.condition for d in datasets.values() if d.condition is not None), None)
        self = cls(recipe, registry, first.event, condition, first.codec, len(first), device, ranks, sources)
        if ranks.main and not resume:
            for line in self.trainer.cautions():
                log.warning("%s", line)
        self.splits = {k: Splits(spec, registry) for k, spec in recipe.data.items()}
        for number, (name, dataset) in enumerate(datasets.items()):
            seed = recipe.seed * 1009 + number
            self.streams[name] = Stream(dataset, recipe.budget.batch, seed, ranks.rank, ranks.world)
        return self

    @classmethod
    def without_data(
        cls,
        recipe: Recipe,
        registry: Registry,
        spaces: Mapping[str, Any],
        codec: Codec | None,
        examples: int,
        device: str,
        streams: Mapping[str, Any] | None = None,
    ) -> Experiment:
        """Build the experiment without its data, for use of a trained model.

        ``spaces`` (of "event" and "condition"), ``codec``, ``examples`` and ``streams`` come from the run's data.json.
        """
        self = cls(recipe, registry, spaces["event"], spaces["condition"], codec, examples, pick_device(device))
        first = next(iter(recipe.data))  # the codec is that of the first stream
        self.splits = {
            k: Splits(spec, registry, codec if k == first else None, (streams or {}).get(k))
            for k, spec in recipe.data.items()
        }
        return self

    def _optimiser(self, spec: Mapping[str, Any]) -> Optimiser:
        def make(params: Any) -> torch.optim.Optimizer:
            made: torch.optim.Optimizer = self.registry.build("optimiser", spec, params=params)
            return made

        return Optimiser(make, spec["lr"], spec["clip"], spec["warm_up"], spec["ema"], spec["accumulate"])

    def _phase(self, name: str, spec: Mapping[str, Any], energy: Any, given: dict[str, Any]) -> Phase:
        try:
            sampler = self.registry.build("sampler", spec["sampler"], **given)
            chains = self.registry.build("chains", spec["chains"], **given)
        except ValueError as error:  # settings that contradict each other
            raise RecipeError(f"phases.{name}: {error}") from error
        checks.sampler_is_declared(name, spec["sampler"]["name"], sampler)
        checks.sampler_moves_the_space(name, spec["sampler"]["name"], sampler, given["event"])
        checks.chains_are_independent(name, spec["sampler"]["name"], sampler, energy, spec["nets"])
        compute, draws = self.recipe.compute, self.recipe.budget.steps
        fast = FastPath(energy, compute.fast, draws, self.ranks.from_main, f"phases.{name}")
        return Phase(energy, sampler, chains, spec["steps"], spec["nets"], fast)

    def set_step(self, t: int) -> None:
        """Set all schedules to their values at learning step ``t``."""
        self.trainer.players.set_step(t)
        for phase in self.trainer.phases.values():
            phase.set_step(t)

    @property
    def routes(self) -> dict[str, dict[str, Route]]:
        """The routes that the fast path of each phase has chosen so far and that a resumed run must take."""
        paths = {name: phase.fast for name, phase in self.trainer.phases.items()}
        return {name: dict(path.routes) for name, path in paths.items() if path.routes and path.settled}

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Within the block, the nets are as `to_use` sets them; afterwards their weights and modes are restored."""
        players = self.trainer.players
        backup = {name: _copy(players[name].state_dict()) for name in players.ema}
        with players.in_mode(train=False):
            self.to_use()
            try:
                yield
            finally:
                for name, state in backup.items():
                    players[name].load_state_dict(state)

    def to_use(self) -> None:
        """Prepare the nets for use: replace weights by their moving averages, and set evaluation mode."""
        players = self.trainer.players
        for name, net in players.ema.items():
            players[name].load_state_dict(net.state_dict())
        for name in players:
            players[name].eval()

    def set_precision(self, name: str) -> None:
        """Compute the players' nets in "fp32" or "bf16". The weights do not change."""
        for net in self.trainer.players.values():
            _autocast(net, PRECISIONS[name])

    def close(self) -> None:
        """Stop the prefetching of the data streams."""
        for stream in self.streams.values():
            stream.close()


def pick_device(name: str) -> torch.device:
    """The device with this name; "auto" is CUDA if a CUDA device is available, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        if device.type == "cuda" and not torch.cuda.is_available():
            raise RecipeError(f'compute.device: "{name}" needs a CUDA device, but this torch finds none; use cpu')
    except RuntimeError as error:
        raise RecipeError(f'compute.device: "{name}" is not a device; use auto, cpu, cuda or cuda:1') from error
    return device


def _autocast(net: nn.Module, dtype: torch.dtype | None) -> None:
    for module in net.modules():
        if hasattr(module, "autocast"):  # modules that can compute in a lower precision declare this attribute
            module.autocast = dtype  # type: ignore[assignment]


def _copy(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in state.items()}
