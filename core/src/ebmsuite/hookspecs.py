"""The contract between ebmsuite and its plugins. Reading this file is enough to write one.

A plugin is a module (or a class) named by an entry point of the group ``ebmsuite``; the entry point's name
is the plugin's name and the prefix of everything that it registers::

    [project.entry-points.ebmsuite]
    tabular = "ebmsuite_tabular.plugin"

It declares the contract it was written for and implements any of the hooks below::

    from ebmsuite.hookspecs import Component, hookimpl

    ebm_api = 1

    @hookimpl
    def ebm_energies():
        return [Component("tabular/mlp", "ebmsuite_tabular.energies:mlp", "MLP on standardised columns")]

*Registering hooks* return descriptors; what a descriptor names is imported when it is used, so the plugin
module itself imports nothing heavy. *Run-time hooks* are called while a run goes on, on rank 0. A hook may
take any subset of its arguments, by name. An error in a hook ends a run whose recipe names the plugin; in any
other run the suite warns and does not call that hook again. Inherit `Plugin` in a class to have a type checker
verify your overrides.
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
"""The version of this contract. It grows when a hook changes its meaning, not when one is added."""

hookspec = pluggy.HookspecMarker("ebmsuite")
hookimpl = pluggy.HookimplMarker("ebmsuite")


@dataclass(frozen=True)
class Component:
    """One thing that a plugin offers, described without importing it.

    ``target`` is ``"module:attribute"``, a class or function whose keyword arguments are the component's
    settings. Arguments named in `ebmsuite.plugins.registry.INJECTED` (``event``, ``latent``, ``condition``, ...) are
    no settings: the suite fills them in. For a recipe the target is ``"package:path/in/package.yaml"``.
    """

    name: str
    target: str
    summary: str
    paper: str = ""
    """Where it comes from: a key of the plugin's `ebm_papers`, or of the suite's own."""
    needs: tuple[str, ...] = ()
    """What must be there, in words a message can use: ``"data:image/cifar10"``, ``"gpu"``, a module name."""
    example: Mapping[str, Any] | None = None
    """A tiny recipe that uses it; asked of every trainer, and run by the resume, two-process and kit tests."""
    zero_on_identical: bool = False
    """For a metric that is a distance: 0 when the two sets are the same."""


@dataclass(frozen=True)
class Command:
    """A sub-command of ``ebm``. ``target`` names a `click.Command`, imported when the command is used."""

    name: str
    target: str
    summary: str


class Run(Protocol):
    """What run-time hooks see of the run under way (it is an `ebmsuite.experiment.run.Run`)."""

    folder: Path
    recipe: Any
    """The complete recipe, an `ebmsuite.experiment.recipe.Recipe`."""
    experiment: Any
    """What was built from it, an `ebmsuite.experiment.build.Experiment`: players, phases, spaces."""
    step: int
    """Completed learning steps."""
    events: list[Mapping[str, Any]]
    """Rollbacks so far."""

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row to metrics.jsonl, with at least its "step"."""

    def history(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl."""

    def ask_rollback(self, reason: str, lr_factor: float = 0.5, limit: int = 3, advice: str = "") -> None:
        """Go back to the last good checkpoint with learning rates times ``lr_factor``; stop after ``limit`` times."""

    def ask_stop(self, reason: str) -> None:
        """End the run after this step."""


class Plugin:
    """Every hook of the suite, with its documentation. All are optional."""

    # -- registering hooks: one a kind ----------------------------------------------------------------------

    @hookspec
    def ebm_energies(self) -> Sequence[Component]:
        """Energies E(x, condition) -> [B], lower is more probable.

        A target takes ``event: Space`` (and ``condition: Space | None`` when it is conditional) beside its
        own settings and returns an `ebmsuite.energy.Energy`; most are ``Tilted(net, reference)``.
        """
        raise NotImplementedError

    @hookspec
    def ebm_densities(self) -> Sequence[Component]:
        """Densities: drawn from and normalised (`ebmsuite.density.Density`).

        References, noise that chains start from, flows, and encoders q(z given x).
        """
        raise NotImplementedError

    @hookspec
    def ebm_generators(self) -> Sequence[Component]:
        """Top-down nets z -> x (`ebmsuite.generator.Generator`); targets take ``event`` and ``latent``."""
        raise NotImplementedError

    @hookspec
    def ebm_samplers(self) -> Sequence[Component]:
        """MCMC kernels: frozen dataclasses with ``continuous``, ``adjusted``, ``init``, ``step`` (see ``Sampler``)."""
        raise NotImplementedError

    @hookspec
    def ebm_chains(self) -> Sequence[Component]:
        """Where chains start and what is kept of them (`ebmsuite.sampling.Chains`)."""
        raise NotImplementedError

    @hookspec
    def ebm_trainers(self) -> Sequence[Component]:
        """Ways of learning (`ebmsuite.learning.Trainer`); each carries ``example=`` a tiny recipe."""
        raise NotImplementedError

    @hookspec
    def ebm_optimisers(self) -> Sequence[Component]:
        """Functions ``(params, lr, ...) -> torch.optim.Optimizer`` whose state is made of tensors."""
        raise NotImplementedError

    @hookspec
    def ebm_datasets(self) -> Sequence[Component]:
        """Data sets (`ebmsuite.dataset.Dataset`); a target takes ``split`` ("train", "valid" or "test")."""
        raise NotImplementedError

    @hookspec
    def ebm_codecs(self) -> Sequence[Component]:
        """What reads a user's files into events and writes events as files (`ebmsuite.dataset.Codec`).

        A frozen dataclass of plain values (ranges, fitted means, a vocabulary) and a class attribute ``name``
        that is its component's name, so that a run can store it and work without the training data.
        """
        raise NotImplementedError

    @hookspec
    def ebm_augmentations(self) -> Sequence[Component]:
        """Functions of events, ``(x, rng) -> x``, for chains that are kept (`ebmsuite.sampling.buffer`)."""
        raise NotImplementedError

    @hookspec
    def ebm_extractors(self) -> Sequence[Component]:
        """Feature extractors of metrics (`ebmsuite.scores.Extractor`)."""
        raise NotImplementedError

    @hookspec
    def ebm_metrics(self) -> Sequence[Component]:
        """Numbers that judge a model: objects called with ``(model, data, rng, n)``, returning a `Score`.

        ``data`` maps split names to data sets, ``n`` is the number of samples (`ebmsuite.model.Metric`).
        """
        raise NotImplementedError

    @hookspec
    def ebm_tasks(self) -> Sequence[Component]:
        """Uses of a trained model: objects called with ``(model, inputs, out, rng)`` (``ebm apply``)."""
        raise NotImplementedError

    @hookspec
    def ebm_renderers(self) -> Sequence[Component]:
        """Pictures of a model: objects called with ``(model, folder, rng, n)``, returning the files written."""
        raise NotImplementedError

    @hookspec
    def ebm_callbacks(self) -> Sequence[Component]:
        """Objects with run-time hooks of their own, on in the runs whose recipe lists them under ``watch``.

        The suite's own log, guard, progress line and report are callbacks too. They are on unless a recipe turns them
        off (``{name: progress, enabled: false}``).
        """
        raise NotImplementedError

    @hookspec
    def ebm_recipes(self) -> Sequence[Component]:
        """Experiments: YAML files inside the plugin's wheel."""
        raise NotImplementedError

    @hookspec
    def ebm_cases(self) -> Sequence[Component]:
        """Rows of the evaluation suite (`ebmsuite.scores.Case`): a recipe, a metric, a published value."""
        raise NotImplementedError

    @hookspec
    def ebm_papers(self) -> Mapping[str, str]:
        """The plugin's bibliography: key -> authors, title, venue and year.

        Components and recipes name a paper by its key. The keys of the suite's own bibliography are known to every
        plugin; a plugin's own entry comes first.
        """
        raise NotImplementedError

    @hookspec
    def ebm_commands(self) -> Sequence[Command]:
        """Further sub-commands of ``ebm``. They are listed by ``ebm --help`` when the plugin is enabled."""
        raise NotImplementedError

    # -- run-time hooks -------------------------------------------------------------------------------------

    @hookspec
    def ebm_run_start(self, run: Run) -> None:
        """Called before the first step of this process, also when a run is resumed."""

    @hookspec
    def ebm_step_end(self, run: Run, step: int, logs: Mapping[str, Tensor]) -> None:
        """Called after every learning step with tensors still on the device: do not wait for them here."""

    @hookspec
    def ebm_logged(self, run: Run, rows: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        """Called when the numbers of the last steps have been moved to the host: (step, name -> value) rows.

        Here a hook may call ``run.ask_rollback(reason)`` or ``run.ask_stop(reason)``; the loop obeys on all ranks.
        """

    @hookspec
    def ebm_checkpoint_saved(self, run: Run, path: Path) -> None:
        """Called when a checkpoint directory is complete on disk."""

    @hookspec
    def ebm_rendered(self, run: Run, step: int, files: Sequence[Path]) -> None:
        """Called when a renderer has written pictures of the model as it stands."""

    @hookspec
    def ebm_evaluated(self, run: Run, step: int, scores: Mapping[str, Score]) -> None:
        """Called with the scores of the metrics that were due at this step."""

    @hookspec
    def ebm_suite_end(self, suite: Suite, folder: Path) -> None:
        """Called when an evaluation of cases is complete. A ``NAME.png`` that a hook puts into ``folder``, NAME being
        what was evaluated with "/" as "-", is shown on its page."""

    @hookspec
    def ebm_run_end(self, run: Run, outcome: str) -> None:
        """Called once at the end: "finished", "interrupted", "stopped" or "failed"."""


KINDS: Mapping[str, str] = {
    "energy": "ebm_energies", "density": "ebm_densities", "generator": "ebm_generators",
    "sampler": "ebm_samplers", "chains": "ebm_chains", "trainer": "ebm_trainers",
    "optimiser": "ebm_optimisers", "dataset": "ebm_datasets", "codec": "ebm_codecs",
    "augmentation": "ebm_augmentations", "extractor": "ebm_extractors", "metric": "ebm_metrics",
    "task": "ebm_tasks", "renderer": "ebm_renderers", "callback": "ebm_callbacks",
    "recipe": "ebm_recipes", "case": "ebm_cases",
}  # fmt: skip
"""Kind of component -> the hook that registers it."""
