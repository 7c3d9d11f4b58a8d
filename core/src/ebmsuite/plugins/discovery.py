"""Discovery of plugins: load, register and query each plugin in isolation.

The hooks are those of pluggy, but the loading is our own, because the entry-point loader of pluggy stops at the first
plugin that fails, calls plugins in the order of directories on disk and drops duplicates silently.

``EBMSUITE_PLUGINS="image,-video"`` selects plugins before anything is imported; ``distribution:name`` distinguishes
two plugins with the same name. With ``EBMSUITE_STRICT_PLUGINS=1``, errors of plugins are raised instead of recorded.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import logging
import os
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

import pluggy

from ebmsuite.errors import PluginError
from ebmsuite.files import full_disk
from ebmsuite.hookspecs import KINDS, PLUGIN_API, Command, Component, Plugin

__all__ = ["FIRST_PARTY", "PluginRecord", "Plugins", "installed"]

GROUP = "ebmsuite"
CORE = "core"
FIRST_PARTY = {
    "image": "ebmsuite-image", "video": "ebmsuite-video", "shape3d": "ebmsuite-shape3d", "toy": "ebmsuite-toy",
    "text": "ebmsuite-text", "molecule": "ebmsuite-molecule", "trajectory": "ebmsuite-trajectory",
}  # fmt: skip
"""Plugin name -> the distribution of this project that contains the plugin."""

log = logging.getLogger("ebmsuite")

State = Literal["found", "ok", "failed", "incompatible", "disabled", "duplicate"]


@dataclass
class PluginRecord:
    """The state of one plugin. ``state`` is "found" until the plugin is loaded."""

    name: str
    distribution: str
    version: str
    state: State = "found"
    error: str = ""
    seconds: float = 0.0


class Plugins:
    """The installed plugins. Each is imported when it is first used.

    ``found`` replaces the installed entry points, for tests.
    """

    def __init__(self, found: Iterable[EntryPoint] | None = None, select: str | None = None) -> None:
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(Plugin)
        self.records: list[PluginRecord] = []
        self._entry: dict[str, EntryPoint] = {}
        self._components: dict[str, dict[str, list[Component]]] = {}
        self._commands: dict[str, list[Command]] = {}
        self._papers: dict[str, dict[str, str]] = {}
        found = entry_points(group=GROUP) if found is None else found
        select = os.environ.get("EBMSUITE_PLUGINS", "") if select is None else select
        self._discover(found, [word.strip() for word in select.split(",") if word.strip()])

    # -- discovery: names only, nothing is imported ------------------------------------------------------------

    def _discover(self, found: Iterable[EntryPoint], words: list[str]) -> None:
        wanted = {word for word in words if not word.startswith("-")}
        unwanted = {word[1:] for word in words if word.startswith("-")}
        known: set[str] = {CORE}
        by_name: dict[str, list[tuple[PluginRecord, EntryPoint]]] = defaultdict(list)

        # the core plugin first, then by distribution, so that the order of calls does not depend on the disk
        def order(entry: EntryPoint) -> tuple[bool, str, str, str]:
            name = entry.dist.name if entry.dist else ""
            return (name != "ebmsuite", name, entry.name, entry.value)

        for entry in sorted(found, key=order):
            distribution, version = (entry.dist.name, entry.dist.version) if entry.dist else ("unknown", "0")
            record = PluginRecord(entry.name, distribution, version)
            self.records.append(record)
            names = {entry.name, f"{distribution}:{entry.name}"}
            known |= names
            is_core = entry.name == CORE and distribution == "ebmsuite"
            if not is_core and (names & unwanted or (wanted and not names & wanted)):
                record.state = "disabled"
                record.error = "not selected by EBMSUITE_PLUGINS"
            else:
                by_name[entry.name].append((record, entry))
        for name, claims in by_name.items():
            if len(claims) > 1 and name == CORE:
                ours = [c for c in claims if c[0].distribution == "ebmsuite"]
                self._duplicate(name, [c for c in claims if c not in ours], claims)
                claims = ours
            if len(claims) > 1:
                self._duplicate(name, claims, claims)
            elif claims:
                self._entry[name] = claims[0][1]
        for word in sorted((wanted | unwanted) - known):
            log.warning('EBMSUITE_PLUGINS names the plugin "%s", which is not installed', word)

    def _duplicate(self, name: str, losers: list[Any], claims: list[Any]) -> None:
        who = " and ".join(record.distribution for record, _ in claims)
        error = f'two distributions offer a plugin "{name}": {who}'
        for record, _ in losers:
            record.state, record.error = "duplicate", error
        choice = losers[-1][0].distribution
        self._bad(PluginError(f"{error}; disable one with EBMSUITE_PLUGINS=-{choice}:{name}"))

    # -- loading: one plugin at a time, so that an error affects only that plugin --------------------------------

    def record(self, name: str) -> PluginRecord | None:
        """The record of the plugin with this name, or None. Prefers a usable plugin to a disabled or duplicate one."""
        named = [r for r in self.records if r.name == name]
        return next((r for r in named if r.state in ("found", "ok")), named[0] if named else None)

    def names(self) -> list[str]:
        """The names of the enabled plugins, in the order in which they are called. Some may fail to load."""
        return list(self._entry)

    def load(self, name: str) -> bool:
        """Import, register and query one plugin. Returns whether it can be used; raises only in strict mode."""
        record = self.record(name)
        if name not in self._entry or record is None:
            return False
        if record.state != "found":
            return record.state == "ok"
        started = time.perf_counter()
        try:
            self._register(name)
            record.state = "ok"
        except Incompatible as error:
            self._reject(record, "incompatible", error)
        except Exception as error:  # any error of a plugin is recorded for that plugin
            self._reject(record, "failed", error)
        record.seconds = time.perf_counter() - started
        return record.state == "ok"

    def load_all(self) -> None:
        """Load every enabled plugin."""
        for name in self.names():
            self.load(name)

    def _register(self, name: str) -> None:
        plugin = self._entry[name].load()
        if inspect.isclass(plugin):
            plugin = plugin()
        api = getattr(plugin, "ebm_api", None)
        if api != PLUGIN_API:
            raise Incompatible(
                f"written for plugin API {api}, but this ebmsuite has API {PLUGIN_API}: install matching versions"
            )
        self.manager.register(plugin, name)
        try:
            self._check_hook_names(plugin)
            components = {kind: self._ask(plugin, hook) for kind, hook in KINDS.items()}
            for kind, offered in components.items():
                self._check_components(name, kind, offered)
            self._commands[name] = self._ask(plugin, "ebm_commands")
            self._papers[name] = {k: v for papers in self._answers(plugin, "ebm_papers") for k, v in papers.items()}
            self._components[name] = components
        except BaseException:
            self.manager.unregister(plugin)
            raise

    def _check_hook_names(self, plugin: object) -> None:
        # pluggy reports a misspelt hook only in check_pending(), which does not say which plugin is at fault
        for caller in self.manager.get_hookcallers(plugin) or []:
            for impl in caller.get_hookimpls():
                if impl.plugin is plugin and not caller.has_spec() and not impl.optionalhook:
                    known = [n for n in vars(Plugin) if n.startswith("ebm_")]
                    close = difflib.get_close_matches(caller.name, known, n=1)
                    hint = f", did you mean {close[0]}?" if close else ""
                    raise PluginError(f"implements an unknown hook {caller.name}{hint}")

    def _answers(self, plugin: object, hook: str) -> list[Any]:
        found = [impl.function() for impl in getattr(self.manager.hook, hook).get_hookimpls() if impl.plugin is plugin]
        return [answer for answer in found if answer]

    def _ask(self, plugin: object, hook: str) -> list[Any]:
        return [component for answer in self._answers(plugin, hook) for component in answer]

    def _check_components(self, plugin: str, kind: str, offered: list[Any]) -> None:
        seen: set[str] = set()
        for component in offered:
            if not isinstance(component, Component):
                raise PluginError(f"{KINDS[kind]} must return Components, got {component!r}")
            prefix, _, rest = component.name.rpartition("/") if "/" in component.name else ("", "", "x")
            if (prefix.partition("/")[0] or CORE) != plugin or not rest:
                expected = "no prefix" if plugin == CORE else f'the prefix "{plugin}/"'
                raise PluginError(f'{kind} "{component.name}" must have {expected}')
            if component.name in seen:
                who = self.record(plugin)
                distribution = who.distribution if who else plugin
                raise PluginError(
                    f'{kind} "{component.name}" is registered twice, by {distribution} and {distribution}'
                )
            seen.add(component.name)

    def _reject(self, record: PluginRecord, state: State, error: BaseException) -> None:
        record.state = state
        detail = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        record.error = " ".join(detail.split())
        self._bad(
            PluginError(
                f'plugin "{record.name}" of {record.distribution} {record.version}: {state}, {record.error}'
                f"; disable it with EBMSUITE_PLUGINS=-{record.name}"
            ),
            error,
        )

    @staticmethod
    def _bad(problem: PluginError, cause: BaseException | None = None) -> None:
        if os.environ.get("EBMSUITE_STRICT_PLUGINS") == "1":
            raise problem from cause
        log.warning("%s", problem, exc_info=cause if log.isEnabledFor(logging.DEBUG) else None)

    # -- use ---------------------------------------------------------------------------------------------------

    def components(self, name: str, kind: str) -> list[Component]:
        """The components of ``kind`` that plugin ``name`` offers. Loads only that plugin."""
        return self._components[name][kind] if self.load(name) else []

    def papers(self, name: str) -> Mapping[str, str]:
        """The bibliography of plugin ``name``. Loads only that plugin."""
        return self._papers[name] if self.load(name) else {}

    def commands(self) -> Mapping[str, Command]:
        """The sub-commands that the enabled plugins add to ``ebm``."""
        self.load_all()
        return {c.name: c for commands in self._commands.values() for c in commands}

    def add(self, plugin: object, name: str) -> None:
        """Register an object with run-time hooks for the duration of a run. Call `remove` afterwards."""
        self.manager.register(plugin, name)
        self._check_hook_names(plugin)

    def remove(self, plugin: object) -> None:
        """Unregister an object that `add` registered."""
        self.manager.unregister(plugin)

    def call(self, hook: str, uses: Collection[str] = (), **arguments: Any) -> None:
        """Call a run-time hook of every plugin, in the order of registration.

        All plugins are called; then the first error, if any, is raised with the name of its plugin. An error of an
        installed plugin that is not among ``uses`` (if there is a ``run``: the plugins that its recipe names) is only
        a warning, and the run does not call that hook of the plugin again. The error of a full disk is raised
        unchanged.
        """
        run = arguments.get("run")
        uses = uses if run is None else run.uses
        failures: list[tuple[str, Exception]] = []
        for impl in getattr(self.manager.hook, hook).get_hookimpls():
            name = impl.plugin_name
            if run is not None and (name, hook) in run.disabled:
                continue
            try:
                impl.function(*(arguments[argument] for argument in impl.argnames))
            except Exception as error:
                if name not in self._entry or name in uses or full_disk(error):
                    failures.append((name, error))
                    continue
                log.warning(
                    'plugin "%s" failed in %s: %s: %s; nothing here uses this plugin, so the hook is skipped; '
                    "disable the plugin with EBMSUITE_PLUGINS=-%s",
                    name, hook, type(error).__name__, error, name,
                    exc_info=error if log.isEnabledFor(logging.DEBUG) else None,
                )  # fmt: skip
                if run is not None:
                    run.disable_hook(name, hook, error)
        if failures:
            name, first = failures[0]
            if isinstance(first, PluginError) or full_disk(first):  # a full disk is not a failure of the plugin
                raise first
            callback = name.removeprefix("watch:")
            what, how = (
                (f'plugin "{name}"', f"disable it with EBMSUITE_PLUGINS=-{name}")
                if callback == name
                else (f'callback "{callback}"', f"disable it with {{name: {callback}, enabled: false}} in watch")
            )
            raise PluginError(f"{what} failed in {hook}: {type(first).__name__}: {first}; {how}") from first


@functools.cache
def installed() -> Plugins:
    """The installed plugins of this process."""
    return Plugins()


class Incompatible(PluginError):
    """A plugin was written for another plugin API."""
