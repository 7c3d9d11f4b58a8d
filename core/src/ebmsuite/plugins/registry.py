"""The registry: look up, complete and build components by name. Errors list the names that exist."""

from __future__ import annotations

import collections.abc
import dataclasses
import difflib
import importlib
import inspect
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ebmsuite.errors import PluginError, Problems, RecipeError, UnknownName
from ebmsuite.hookspecs import KINDS, Component
from ebmsuite.plugins.discovery import CORE, FIRST_PARTY, Plugins, installed
from ebmsuite.values import conform, plain

__all__ = ["INJECTED", "REQUIRED", "Parameter", "Registry", "import_target"]

INJECTED = {
    "event": "the Space of an event",
    "latent": "the Space of a latent vector",
    "condition": "the Space of a condition, a tree of Spaces, or None",
    "codec": "the codec of the data, which must have one (`Dataset.codec`)",
    "examples": "the number of training examples",
    "ranks": "the processes of this run (`ebmsuite.experiment.run.Ranks`)",
    "params": "the parameters that an optimiser updates",
    "players": "the nets of a trainer (`ebmsuite.learning.Players`)",
    "phases": "the phases of a trainer (`ebmsuite.sampling.Phase`)",
}
"""Arguments that the suite supplies by name. All other arguments are settings."""

REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Parameter:
    """One setting of a component."""

    name: str
    hint: Any
    default: Any
    kind: str | None
    """The kind of component, if the value of the setting is itself a component, else None."""
    factory: bool = False
    """Whether the setting receives a function that builds the component for a given event Space.

    Such a setting is annotated ``Callable[[Space], ...]``, or ``Callable[..., ...]`` if it also gives a ``condition``.
    """
    several: bool = False
    """Whether the value is a list of components. Such a setting is annotated ``tuple[Mask, ...]``."""

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


def import_target(target: str) -> Any:
    """The object that ``"module:attribute"`` names."""
    module, _, attribute = target.partition(":")
    found: Any = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return found


class Registry:
    """Look up components of all plugins. ``get("energy", "image/convnet")`` loads only the image plugin."""

    def __init__(self, plugins: Plugins | None = None) -> None:
        self.plugins = plugins or installed()
        self._parameters: dict[str, dict[str, Parameter]] = {}

    def get(self, kind: str, name: str) -> Component:
        """The component with this name. Raises `UnknownName` with close matches and the package to install."""
        domain = name.partition("/")[0] if "/" in name else CORE
        for component in self.plugins.components(domain, kind):
            if component.name == name:
                return component
        raise UnknownName(self._unknown(kind, name, domain))

    def citation(self, key: str, domain: str = CORE) -> str | None:
        """Authors, title, venue and year of a paper, from the bibliography of ``domain``, else of the suite."""
        return self.plugins.papers(domain).get(key) or self.plugins.papers(CORE).get(key)

    def list(self, kind: str | None = None, domain: str | None = None) -> list[tuple[str, Component]]:
        """All (kind, component) pairs, sorted. Loads the plugins that it lists."""
        if domain is not None and self.plugins.record(domain) is None:
            raise UnknownName(self._no_plugin(domain))
        domains = self.plugins.names() if domain is None else [domain]
        kinds = list(KINDS) if kind is None else [kind]
        found = [(k, c) for d in domains for k in kinds for c in self.plugins.components(d, k)]
        return sorted(found, key=lambda pair: (list(KINDS).index(pair[0]), pair[1].name))

    def _no_plugin(self, domain: str) -> str:
        record = self.plugins.record(domain)
        if record is not None and record.state not in ("ok", "found"):
            return f'plugin "{domain}" of {record.distribution}: {record.state}, {record.error}'
        if domain in FIRST_PARTY:
            return f'no plugin "{domain}" is installed: pip install {FIRST_PARTY[domain]}'
        return f'no plugin "{domain}" is installed (installed: {", ".join(self.plugins.names())})'

    def _unknown(self, kind: str, name: str, domain: str) -> str:
        if not self.plugins.load(domain):
            return f'no {kind} "{name}": {self._no_plugin(domain)}'
        self.plugins.load_all()
        names = [c.name for _, c in self.list(kind)]
        close = difflib.get_close_matches(name, names, n=3)
        close += [n for n in names if n.rpartition("/")[2].startswith(name.rpartition("/")[2]) and n not in close]
        elsewhere = [k for k, c in self.list() if c.name == name]
        text = f'no {kind} "{name}"'
        if close:
            text += f"; did you mean {' or '.join(close)}?"
        if elsewhere:
            text += f' ("{name}" is a {" and a ".join(elsewhere)})'
        return text + f"; installed: {', '.join(names) or 'none'}"

    # -- settings ---------------------------------------------------------------------------------------------

    def resolve(self, kind: str, name: str) -> Callable[..., Any]:
        """Import the target of a component. Raises a `PluginError` if this fails."""
        component = self.get(kind, name)
        try:
            return typing.cast("Callable[..., Any]", import_target(component.target))
        except (ImportError, AttributeError) as error:
            raise PluginError(f'{kind} "{name}": cannot import {component.target}: {error}') from error

    def parameters(self, kind: str, name: str) -> Mapping[str, Parameter]:
        """The settings of a component, read from the signature of its target."""
        key = f"{kind}:{name}"
        if key not in self._parameters:
            target = self.resolve(kind, name)
            hints = self._hints(kind, name, target)
            self._parameters[key] = {
                p.name: self._parameter(p, hints.get(p.name, Any))
                for p in inspect.signature(target).parameters.values()
                if p.name not in INJECTED
            }
        return self._parameters[key]

    def _hints(self, kind: str, name: str, target: Any) -> dict[str, Any]:
        # a dataclass may inherit fields, whose annotations belong to the module of the declaring class
        plain_class = inspect.isclass(target) and not dataclasses.is_dataclass(target)
        try:
            return typing.get_type_hints(target.__init__ if plain_class else target)
        except NameError as error:
            raise PluginError(
                f'{kind} "{name}": an annotation of {target.__qualname__} cannot be read ({error}); '
                "import the name outside of TYPE_CHECKING"
            ) from error

    def _parameter(self, p: inspect.Parameter, hint: Any) -> Parameter:
        options = typing.get_args(hint) or (hint,)
        kind = next((o.component_kind for o in options if hasattr(o, "component_kind")), None)
        origin = typing.get_origin(hint)
        several = kind is not None and origin is tuple
        return Parameter(p.name, hint, p.default, kind, origin is collections.abc.Callable, several)

    def fill(self, kind: str, spec: Any, where: str, extras: Mapping[str, Parameter] | None = None) -> Any:
        """Check a spec ``{name: ..., setting: value}`` and add the defaults, also in nested components.

        ``extras`` are allowed keys in addition to the settings. Raises a `RecipeError` that names ``where.key``, of all
        settings that are wrong.
        """
        if not isinstance(spec, Mapping) or not isinstance(spec.get("name"), str):
            raise RecipeError(f"{where} must be {{name: <{kind}>, ...}}, got {spec!r}")
        own = self.parameters(kind, spec["name"])
        allowed = {**own, **(extras or {})}
        problems = Problems()
        for key in spec:
            with problems.noting():
                if key != "name" and key not in allowed:
                    close = difflib.get_close_matches(str(key), [*allowed, "name"], n=1)
                    hint = f"did you mean {where}.{close[0]}?" if close else f"its settings are: {', '.join(allowed)}"
                    raise RecipeError(f'{where}.{key}: {kind} "{spec["name"]}" has no such setting; {hint}')
        filled: dict[str, Any] = {"name": spec["name"]}
        for key, parameter in allowed.items():
            with problems.noting():
                value = spec.get(key, parameter.default)
                if value is REQUIRED:
                    raise RecipeError(f'{where}.{key}: {kind} "{spec["name"]}" needs a value for {key}')
                if parameter.kind and parameter.several:
                    if not isinstance(value, list | tuple):
                        raise RecipeError(
                            f"{where}.{key}: must be a list of {{name: <{parameter.kind}>, ...}}, got {value!r}"
                        )
                    filled[key] = [self.fill(parameter.kind, v, f"{where}.{key}.{i}") for i, v in enumerate(value)]
                elif parameter.kind and value is not None:
                    filled[key] = self.fill(parameter.kind, value, f"{where}.{key}")
                else:
                    filled[key] = conform(value, parameter.hint, f"{where}.{key}")
        problems.report()
        return filled

    def outline(self, kind: str, spec: Any, extras: Mapping[str, Parameter] | None = None) -> Any:
        """``spec`` with every key that it can have, also in nested components. Does not check anything.

        A key without a value and without a default is None.
        """
        if not isinstance(spec, Mapping) or not isinstance(spec.get("name"), str):
            return spec
        known: dict[str, Any] = dict(spec)
        for key, parameter in {**self.parameters(kind, spec["name"]), **(extras or {})}.items():
            value = spec.get(key, None if parameter.required else parameter.default)
            if parameter.kind:
                many = parameter.several and isinstance(value, list | tuple)
                known[key] = (
                    [self.outline(parameter.kind, v) for v in value] if many else self.outline(parameter.kind, value)
                )
            else:
                with suppress(RecipeError):  # a dataclass, such as a schedule, has more keys
                    value = conform(value, parameter.hint, key)
                known[key] = plain(value)
        return known

    def _maker(self, kind: str, spec: Mapping[str, Any], given: Mapping[str, Any]) -> Callable[..., Any]:
        return lambda event, **other: self.build(kind, spec, **{**given, "event": event, **other})

    def _of_split(self, spec: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        if "split" not in self.parameters("dataset", spec["name"]):
            if split != "train":
                raise RecipeError(f'data set "{spec["name"]}" has no splits')
            return spec
        return {**spec, "split": split}

    def build(self, kind: str, spec: Mapping[str, Any], **given: Any) -> Any:
        """Build the component that a filled spec describes. ``given`` holds values for the names of `INJECTED`."""
        target = self.resolve(kind, spec["name"])
        parameters = self.parameters(kind, spec["name"])
        arguments: dict[str, Any] = {}
        for key, value in spec.items():
            if key not in parameters:
                continue  # a key of the recipe that is not a setting of the component: every, clip, ...
            nested = parameters[key].kind
            if nested is None or value is None:
                arguments[key] = value
            elif parameters[key].several:
                arguments[key] = tuple(self.build(nested, v, **given) for v in value)
            elif parameters[key].factory:
                arguments[key] = self._maker(nested, value, given)
            else:
                if nested == "dataset" and "split" in spec:  # data inside a data set are of its split
                    value = self._of_split(value, spec["split"])
                arguments[key] = self.build(nested, value, **given)
        for name, parameter in inspect.signature(target).parameters.items():
            if name in INJECTED:
                if name in given:
                    arguments[name] = given[name]
                elif parameter.default is REQUIRED:
                    raise RecipeError(f'{kind} "{spec["name"]}" needs {INJECTED[name]}, which is not available here')
        return target(**arguments)
