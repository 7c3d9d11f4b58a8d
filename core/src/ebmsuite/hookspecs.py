"""The contract between ebmsuite and its plugins. This file is all you need to write a plugin.

A plugin is a module (or a class) that an entry point of the group ``ebmsuite`` names. The name of the entry point
is the name of the plugin and the prefix of every component that the plugin registers::

    [project.entry-points.ebmsuite]
    tabular = "ebmsuite_tabular.plugin"

The plugin declares the version of the contract that it follows, and implements any of the hooks below::

    from ebmsuite.hookspecs import Component, hookimpl

    ebm_api = 1

    @hookimpl
    def ebm_energies():
        return [Component("tabular/mlp", "ebmsuite_tabular.energies:mlp", "MLP on standardised columns")]

*Registering hooks* return descriptors. The suite imports the target of a descriptor when it is first used, so the
plugin module itself should import nothing heavy. *Run-time hooks* are called during a run, on rank 0. A hook may
take any subset of its arguments, by name. If a hook raises an error, a run whose recipe names the plugin ends; in
any other run the suite warns and does not call that hook again. If your plugin is a class that inherits from
`Plugin`, a type checker can verify your overrides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from ebmsuite.scores import Score, Suite

__all__ = ["KINDS", "PLUGIN_API", "Command", "Component", "Plugin", "Run", "hookimpl", "hookspec"]

PLUGIN_API = 1
"""The version of this contract. It increases when the meaning of a hook changes, not when a hook is added."""

hookspec = pluggy.HookspecMarker("ebmsuite")
hookimpl = pluggy.HookimplMarker("ebmsuite")


@dataclass(frozen=True)
class Component:
    """The description of one component that a plugin offers. Creating it imports nothing.

    ``target`` is ``"module:attribute"``, a class or function whose keyword arguments are the component's
    settings. Arguments named in `ebmsuite.plugins.registry.INJECTED` (``event``, ``latent``, ``condition``, ...) are
    not settings: the suite supplies them. For a recipe the target is ``"package:path/in/package.yaml"``.
    """

    name: str
    target: str
    summary: str
    paper: str = ""
    """The source of the component: a key of the plugin's `ebm_papers` or of the suite's bibliography."""
    needs: tuple[str, ...] = ()
    """Requirements, as a message can print them: ``"data:image/cifar10"``, ``"gpu"`` or the name of a module."""
    example: Mapping[str, Any] | None = None
    """A tiny recipe that uses the component. Trainers must have one; the resume, two-process and kit tests run it."""
    zero_on_identical: bool = False
    """True for a metric that is a distance, with the value 0 when the two sets are the same."""


@dataclass(frozen=True)
class Command:
    """A sub-command of ``ebm``. ``target`` names a `click.Command`, which is imported when the command is used."""

    name: str
    target: str
    summary: str


class Run(Protocol):
    """The attributes and methods of a run that run-time hooks may use (the object is `ebmsuite.experiment.run.Run`)."""

    folder: Path
    recipe: Any
    """The complete recipe, an `ebmsuite.experiment.recipe.Recipe`."""
    experiment: Any
    """The `ebmsuite.experiment.build.Experiment` built from the recipe: players, phases, spaces."""
    step: int
    """Completed learning steps."""
    events: list[Mapping[str, Any]]
    """Rollbacks so far."""

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row to metrics.jsonl. It must have the key "step"."""

    def history(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl."""

    def ask_rollback(self, reason: str, lr_factor: float = 0.5, limit: int = 3, advice: str = "") -> None:
        """Go back to the last good checkpoint and multiply the learning rates by ``lr_factor``.

        After ``limit`` rollbacks the run stops.
        """

    def ask_stop(self, reason: str) -> None:
        """End the run after this step."""


class Plugin:
    """Every hook of the suite, with its documentation. All are optional."""

    # -- registering hooks: one per kind --------------------------------------------------------------------

    @hookspec
    def ebm_energies(self) -> Sequence[Component]:
        """Energies E(x, condition) -> [B]; a lower energy is more probable.

        A target takes ``event: Space`` (and ``condition: ConditionSpace`` when it is conditional) in addition to its
        own settings. It returns an `ebmsuite.energy.Energy`; most are ``Tilted(net, reference)``.
        """
        raise NotImplementedError

    @hookspec
    def ebm_densities(self) -> Sequence[Component]:
        """Normalised densities that can be sampled (`ebmsuite.density.Density`).

        Examples are reference densities, the noise that chains start from, flows, and encoders q(z | x).
        """
        raise NotImplementedError

    @hookspec
    def ebm_generators(self) -> Sequence[Component]:
        """Top-down nets z -> x (`ebmsuite.generator.Generator`); targets take ``event`` and ``latent``."""
        raise NotImplementedError

    @hookspec
    def ebm_samplers(self) -> Sequence[Component]:
        """MCMC kernels: frozen dataclasses with ``continuous``, ``adjusted``, ``init`` and ``step``.

        See `ebmsuite.sampling.Sampler`.
        """
        raise NotImplementedError

    @hookspec
    def ebm_chains(self) -> Sequence[Component]:
        """Chain initialisations: where chains start, and which states persist (`ebmsuite.sampling.Chains`)."""
        raise NotImplementedError

    @hookspec
    def ebm_trainers(self) -> Sequence[Component]:
        """Learning methods (`ebmsuite.learning.Trainer`). Each must set ``example`` to a tiny recipe."""
        raise NotImplementedError

    @hookspec
    def ebm_optimisers(self) -> Sequence[Component]:
        """Functions ``(params, lr, ...) -> torch.optim.Optimizer``. The state of the optimiser must be tensors."""
        raise NotImplementedError

    @hookspec
    def ebm_datasets(self) -> Sequence[Component]:
        """Data sets (`ebmsuite.dataset.Dataset`). A target takes ``split``: "train", "valid" or "test"."""
        raise NotImplementedError

    @hookspec
    def ebm_codecs(self) -> Sequence[Component]:
        """Codecs, which read files into events and write events to files (`ebmsuite.dataset.Codec`).

        A codec is a frozen dataclass of plain values (ranges, fitted means, a vocabulary). Its class attribute ``name``
        is the name of its component, so that a run can store the codec and work without the training data.
        """
        raise NotImplementedError

    @hookspec
    def ebm_augmentations(self) -> Sequence[Component]:
        """Functions of events, ``(x, rng) -> x``, for persistent chains (`ebmsuite.sampling.buffer`)."""
        raise NotImplementedError

    @hookspec
    def ebm_masks(self) -> Sequence[Component]:
        """Random masks that hide a part of an event (`ebmsuite.masks.Mask`), for the data set ``masked``."""
        raise NotImplementedError

    @hookspec
    def ebm_constraints(self) -> Sequence[Component]:
        """Linear constraints on events (`ebmsuite.constraint.LinearConstraint`), for the energy ``projected``."""
        raise NotImplementedError

    @hookspec
    def ebm_extractors(self) -> Sequence[Component]:
        """Feature extractors of metrics (`ebmsuite.scores.Extractor`)."""
        raise NotImplementedError

    @hookspec
    def ebm_metrics(self) -> Sequence[Component]:
        """Metrics: objects that are called with ``(model, data, rng, n)`` and return a `Score`.

        ``data`` maps split names to data sets; ``n`` is the number of samples (`ebmsuite.model.Metric`). A
        metric may also define ``prepare(data)``, which runs before training (`ebmsuite.scores.Prepared`).
        """
        raise NotImplementedError

    @hookspec
    def ebm_tasks(self) -> Sequence[Component]:
        """Uses of a trained model: objects that ``ebm apply`` calls with ``(model, inputs, out, rng)``."""
        raise NotImplementedError

    @hookspec
    def ebm_renderers(self) -> Sequence[Component]:
        """Renderers: objects that draw a model. Called with ``(model, folder, rng, n)``, return the files written."""
        raise NotImplementedError

    @hookspec
    def ebm_callbacks(self) -> Sequence[Component]:
        """Callbacks: objects with run-time hooks. They are active in runs whose recipe lists them under ``watch``.

        The suite's log, guard, progress line and report are callbacks too. They are active unless a recipe disables
        them (``{name: progress, enabled: false}``).
        """
        raise NotImplementedError

    @hookspec
    def ebm_recipes(self) -> Sequence[Component]:
        """Recipes: YAML files inside the plugin's wheel, one per experiment."""
        raise NotImplementedError

    @hookspec
    def ebm_cases(self) -> Sequence[Component]:
        """Rows of the evaluation suite (`ebmsuite.scores.Case`): a recipe, a metric, a published value.

        A target may also be a `ebmsuite.scores.Mean` over such rows.
        """
        raise NotImplementedError

    @hookspec
    def ebm_papers(self) -> Mapping[str, str]:
        """The plugin's bibliography: key -> authors, title, venue and year.

        Components and recipes name a paper by its key. Every plugin can also use the keys of the suite's bibliography;
        an entry of the plugin takes precedence over an entry of the suite with the same key.
        """
        raise NotImplementedError

    @hookspec
    def ebm_commands(self) -> Sequence[Command]:
        """Additional sub-commands of ``ebm``. ``ebm --help`` lists them when the plugin is enabled."""
        raise NotImplementedError

    # -- run-time hooks -------------------------------------------------------------------------------------

    @hookspec
    def ebm_run_start(self, run: Run) -> None:
        """Called before the first step of this process, in a new run and in a resumed one."""

    @hookspec
    def ebm_step_end(self, run: Run, step: int, logs: Mapping[str, Tensor]) -> None:
        """Called after every learning step. The tensors are still on the device: do not synchronise here."""

    @hookspec
    def ebm_logged(self, run: Run, rows: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        """Called when the logged numbers of the last steps are on the host, as rows (step, name -> value).

        Here a hook may call ``run.ask_rollback(reason)`` or ``run.ask_stop(reason)``, which take effect on all ranks.
        """

    @hookspec
    def ebm_checkpoint_saved(self, run: Run, path: Path) -> None:
        """Called when a checkpoint directory is complete on disk."""

    @hookspec
    def ebm_rendered(self, run: Run, step: int, files: Sequence[Path]) -> None:
        """Called when a renderer has written pictures of the current model."""

    @hookspec
    def ebm_evaluated(self, run: Run, step: int, scores: Mapping[str, Score]) -> None:
        """Called with the scores of the metrics that are computed at this step."""

    @hookspec
    def ebm_suite_end(self, suite: Suite, folder: Path) -> None:
        """Called when an evaluation of cases is complete.

        The page of the evaluation shows ``folder``/NAME.png if a hook writes it. NAME is the name of what was
        evaluated, with "-" for "/".
        """

    @hookspec
    def ebm_run_end(self, run: Run, outcome: str) -> None:
        """Called once at the end. ``outcome`` is "finished", "interrupted", "stopped" or "failed"."""


KINDS: Mapping[str, str] = {
    "energy": "ebm_energies", "density": "ebm_densities", "generator": "ebm_generators",
    "sampler": "ebm_samplers", "chains": "ebm_chains", "trainer": "ebm_trainers",
    "optimiser": "ebm_optimisers", "dataset": "ebm_datasets", "codec": "ebm_codecs",
    "augmentation": "ebm_augmentations", "mask": "ebm_masks", "constraint": "ebm_constraints",
    "extractor": "ebm_extractors", "metric": "ebm_metrics",
    "task": "ebm_tasks", "renderer": "ebm_renderers", "callback": "ebm_callbacks",
    "recipe": "ebm_recipes", "case": "ebm_cases",
}  # fmt: skip
"""Kind of component -> the hook that registers components of this kind."""
