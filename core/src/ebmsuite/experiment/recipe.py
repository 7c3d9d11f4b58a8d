"""Recipes, which describe experiments: read, complete and change them.

A recipe is YAML. A mapping ``{name: ...}`` names a component of the registry; its other keys are keyword arguments of
the component. `resolve` adds every default, so the recipe stored with a run is complete.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib.resources
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from ebmsuite.errors import DataError, Problems, RecipeError, UnknownName, UserError
from ebmsuite.plugins.discovery import CORE
from ebmsuite.plugins.registry import REQUIRED, Parameter, Registry
from ebmsuite.schedule import Schedule
from ebmsuite.values import conform, plain

__all__ = [
    "TRAINED",
    "Budget",
    "CheckpointPlan",
    "Compute",
    "Recipe",
    "fill_metric",
    "parse_setting",
    "plugins_of",
    "read_recipe",
    "read_stored",
    "resolve",
    "source_of",
    "stored_text",
]


@dataclass(frozen=True)
class Budget:
    """``steps`` learning steps of ``batch`` examples each, summed over all processes."""

    steps: int
    batch: int


@dataclass(frozen=True)
class CheckpointPlan:
    """A checkpoint is saved every ``every`` steps. The last ``keep`` and the one with the ``best`` score are kept."""

    every: int = 500
    keep: int = 2
    best: str | None = None
    better: Literal["lower", "higher"] = "lower"


@dataclass(frozen=True)
class Compute:
    """Where and how a run computes.

    ``device`` "auto" is CUDA if available, else the CPU. ``precision`` "bf16" applies to nets only. ``devices`` is the
    number of processes. ``fast`` is how chains compute values and gradients (`ebmsuite.sampling.fast`): "auto"
    measures which way is fastest, if the run is long enough to repay the measurement. ``threads`` is the number of CPU
    threads per process: "auto" measures whether one is faster than all (`ebmsuite.experiment.pace`). ``layout`` is the
    memory layout of 3-D convolutions: "auto" measures whether channels-last is faster. The run stores the results of
    these measurements.
    """

    device: str = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"
    devices: int = 1
    fast: Literal["auto", "eager", "compiled", "graphed"] = "auto"
    threads: int | Literal["auto"] = "auto"
    layout: Literal["auto", "contiguous", "channels-last"] = "auto"


@dataclass(frozen=True)
class LogPlan:
    """Numbers are moved to the host, logged and checked by the guard every ``every`` steps."""

    every: int = 10


@dataclass(frozen=True)
class Recipe:
    """A complete recipe. Component specs are ``{name: ..., settings}`` with every setting present.

    ``watch`` lists the suite's callbacks, then those of the recipe; a disabled callback has ``enabled: False``.
    """

    recipe: str
    data: dict[str, dict[str, Any]]
    players: dict[str, dict[str, Any]]
    trainer: dict[str, Any]
    phases: dict[str, dict[str, Any]]
    optimisers: dict[str, dict[str, Any]]
    budget: Budget
    paper: str = ""
    latent: tuple[int, ...] | None = None
    metrics: tuple[dict[str, Any], ...] = ()
    render: tuple[dict[str, Any], ...] = ()
    watch: tuple[dict[str, Any], ...] = ()
    checkpoint: CheckpointPlan = field(default_factory=CheckpointPlan)
    log: LogPlan = field(default_factory=LogPlan)
    compute: Compute = field(default_factory=Compute)
    seed: int = 0

    def as_yaml(self) -> str:
        """The recipe as YAML text, from which `read_recipe` gives an equal recipe."""
        return str(yaml.safe_dump(plain(self), sort_keys=False, allow_unicode=True, width=100))


SECTIONS = [f.name for f in dataclasses.fields(Recipe)]
TRAINED = "trained"
"""The component of a player that comes from another run (`ebmsuite.nets.trained_nets`)."""
WATCH = ("log", "guard", "progress", "report")
"""The suite's callbacks. Each is active unless a recipe disables it."""

_PLAYER = {"of": Parameter("of", Literal["event", "latent"], "event", None)}
_OPTIMISER = {
    "lr": Parameter("lr", float | Schedule, REQUIRED, None),
    "clip": Parameter("clip", float | None, None, None),
    "warm_up": Parameter("warm_up", int, 0, None),
    "ema": Parameter("ema", float | None, None, None),
    "accumulate": Parameter("accumulate", int, 1, None),
}
_METRIC = {
    "label": Parameter("label", str | None, None, None),
    "every": Parameter("every", int | None, None, None),
    "n": Parameter("n", int, 1000, None),
}
_RENDER = {"every": Parameter("every", int | None, None, None), "n": Parameter("n", int, 64, None)}
_WATCH = {"enabled": Parameter("enabled", bool, True, None)}
_LISTS: tuple[tuple[str, str, dict[str, Parameter]], ...] = (
    ("metrics", "metric", _METRIC), ("render", "renderer", _RENDER), ("watch", "callback", _WATCH),
)  # fmt: skip
_PLANS: dict[str, Any] = {"budget": Budget, "checkpoint": CheckpointPlan, "log": LogPlan, "compute": Compute}


# -- reading ------------------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """A YAML loader that reads 1e-4 as a number (YAML 1.1 reads it as text) and rejects duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(k, deep=True) for k, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise RecipeError(f'line {node.start_mark.line + 1}: the key "{key}" is given twice; remove one')
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*)(\.[\d_]*)?[eE][-+]?\d+$|^[-+]?(\d[\d_]*)?\.\d[\d_]*([eE][-+]?\d+)?$"),
    list("-+0123456789."),
)


def _parse(text: str, where: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # safe: _Loader is a SafeLoader, which gives plain values only
    except (yaml.YAMLError, RecipeError) as error:
        raise RecipeError(f"{where}: {' '.join(str(error).split())}") from error


def parse_setting(text: str) -> tuple[str, Any]:
    """Split ``key=value`` into the key and the value, which is read as YAML."""
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise RecipeError(f'"{text}" is not of the form key=value')
    return key, _parse(value, key) if value else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from error


def stored_text(folder: Path) -> str:
    """The text of the recipe.yaml of a run folder.

    Raises a `DataError` if the folder is not a run folder, or if the file is not complete.
    """
    path = folder / "recipe.yaml"
    if not path.is_file():
        raise DataError(f"{folder}: not a run folder (it has no recipe.yaml)")
    text = _text(path)
    if not re.search(r"^seed: \S+\n", text, re.MULTILINE):  # the last line of a complete file
        raise DataError(
            f"{path}: is damaged (it does not end with the seed); restore it, for example from a run of the same "
            "recipe with the same settings"
        )
    return text


def read_stored(folder: Path, registry: Registry, overrides: Sequence[str] = ()) -> Recipe:
    """The complete recipe of a run folder. Raises the errors of `stored_text` and `read_recipe`."""
    stored_text(folder)
    return read_recipe(folder / "recipe.yaml", registry, overrides)


def source_of(name: str | Path, registry: Registry) -> tuple[dict[str, Any], str]:
    """The raw recipe of a registered name or a YAML file, and a description of its source for messages."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        if not path.is_file():
            raise RecipeError(f"{path}: no such file")
        text, where = _text(path), str(path)
    else:
        component = registry.get("recipe", str(name))
        package, _, inner = component.target.partition(":")
        text = importlib.resources.files(package).joinpath(inner).read_text(encoding="utf-8")
        where = f"{name} ({component.target})"
    raw = _parse(text, where)
    if not isinstance(raw, dict):
        raise RecipeError(f"{where}: a recipe must be a mapping of keys, see `ebm show image/digits`")
    raw.setdefault("recipe", path.stem if path.is_file() else str(name))
    return raw, where


def read_recipe(
    name: str | Path | Mapping[str, Any],
    registry: Registry,
    overrides: Sequence[str] = (),
    budget: str | None = None,
) -> Recipe:
    """A complete recipe from a name, a file or a mapping. A `RecipeError` names the file and the key."""
    if isinstance(name, Mapping):
        raw, where = dict(name), str(name.get("recipe", "recipe"))
    else:
        raw, where = source_of(name, registry)
    try:
        return resolve(raw, registry, overrides, budget)
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from error


# -- completing ---------------------------------------------------------------------------------------------------


def resolve(
    raw: Mapping[str, Any], registry: Registry, overrides: Sequence[str] = (), budget: str | None = None
) -> Recipe:
    """Apply a budget and then ``key=value`` overrides, add every default and check the result.

    The recipe is checked once, after all changes, so the order of changes that depend on each other does not matter.
    All changes that are wrong are reported together.
    If ``budgets`` has no entry "full", the budget "full" changes nothing.
    """
    own: dict[str, Any] = _upgraded(plain(raw))
    budgets = own.pop("budgets", None) or {}
    changes: list[tuple[str, Any]] = []
    if budget is not None and (budget in budgets or budget != "full"):
        if budget not in budgets:
            raise RecipeError(
                f'budgets: there is no budget "{budget}"; there are: {", ".join(dict.fromkeys(["full", *budgets]))}'
            )
        if not isinstance(budgets[budget], Mapping):
            raise RecipeError(f"budgets.{budget}: must be a mapping of keys to values")
        changes += list(budgets[budget].items())
    problems, changed = Problems(), []
    for text in overrides:
        with problems.noting():
            changes.append(parse_setting(text))
    for key, value in changes:
        with problems.noting():
            own["watch"] = _callbacks(own.get("watch"))  # so that keys such as watch.1 exist
            known, missing = _outline(own, registry)
            try:
                path = _find(key, known)
            except RecipeError as error:
                # if a component does not exist, its keys are unknown too: report the component
                raise (missing[0] if missing else error) from error
            _set(own, path, value)
            changed.append(path)
    if not problems.found:
        return _fill(own, registry)
    later = Problems()
    with later.noting():
        _fill(own, registry)
    # other errors may only follow from the changes that could not be made
    problems.found += [e for e in later.found if isinstance(e, UnknownName) or str(e).startswith(tuple(changed))]
    problems.report()
    raise AssertionError("unreachable: a problem was found")


def _upgraded(raw: dict[str, Any]) -> dict[str, Any]:
    """Translate a recipe of an earlier version to the present keys, so that its runs can resume."""
    trainer = raw.get("trainer")
    if isinstance(trainer, dict) and trainer.get("name") == "mle":
        # until 0.1 the terms of improved contrastive divergence were settings of "mle"
        terms = {key: trainer.pop(key) for key in ("kl", "entropy", "gradient_penalty") if key in trainer}
        if any(terms.values()):
            raw["trainer"] = {**trainer, "name": "improved-cd", **dict.fromkeys(("kl", "entropy"), 0.0), **terms}
    return raw


def _fill(raw: Mapping[str, Any], registry: Registry) -> Recipe:
    for key in raw:
        if key not in SECTIONS:
            close = difflib.get_close_matches(str(key), SECTIONS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"the keys of a recipe are: {', '.join(SECTIONS)}"
            raise RecipeError(f"{key}: no such key; {hint}")
    raw = {**raw, "phases": raw.get("phases") or {}, "watch": _callbacks(raw.get("watch"))}
    for key in ("data", "players", "trainer", "phases", "optimisers", "budget"):
        if not isinstance(raw.get(key), Mapping):
            raise RecipeError(f"{key}: must be a mapping")
    for key, _, _ in _LISTS:
        if not isinstance(raw.get(key, []), list | tuple):
            raise RecipeError(f"{key}: must be a list")
    registry.fill("trainer", raw["trainer"], "trainer")
    trainer: Any = registry.resolve("trainer", raw["trainer"]["name"])
    _same_keys(raw["data"], trainer.streams, "data", "stream")
    _same_keys(raw["players"], tuple(trainer.roles), "players", "player", _optional(trainer.roles))
    frozen = _frozen(raw["players"])
    fitted = frozenset(key for key in raw["players"] if trainer.roles[key].fitted)
    _same_keys(raw["optimisers"], tuple(raw["players"]), "optimisers", "player", frozen | fitted)
    for key in (key for key in raw["optimisers"] if key in fitted):
        raise RecipeError(
            f"optimisers.{key}: the trainer fits players.{key} directly, without an optimiser; remove this"
        )
    for key in (key for key in raw["optimisers"] if key in frozen):
        raise RecipeError(
            f"optimisers.{key}: players.{key} is frozen and does not learn; remove this, or set "
            f"players.{key}.frozen=false"
        )
    if len(frozen) == len(raw["players"]):
        raise RecipeError("players: all are frozen, so nothing learns; set frozen: false for one of them")
    _same_keys(raw["phases"], tuple(trainer.draws), "phases", "phase", _optional(trainer.draws))
    for key, spec in raw["phases"].items():
        _check_phase(spec, f"phases.{key}")

    problems = Problems()

    def conformed(value: Any, hint: Any, where: str) -> Any:
        with problems.noting():
            return conform(value, hint, where)

    def complete(kind: str, spec: Any, where: str, extras: Any) -> Any:
        with problems.noting():
            return registry.fill(kind, spec, where, extras)

    filled = _components(raw, _kinds(trainer.roles), complete)
    for key, phase in filled["phases"].items():
        phase["steps"] = conformed(phase["steps"], int | Schedule, f"phases.{key}.steps")
        phase["nets"] = conformed(phase["nets"], Literal["eval", "train"], f"phases.{key}.nets")
    filled["recipe"], filled["paper"] = str(raw.get("recipe", "recipe")), str(raw.get("paper", ""))
    latent = [raw["latent"]] if isinstance(raw.get("latent"), int) else raw.get("latent")
    filled["latent"] = None if latent is None else conformed(latent, tuple[int, ...], "latent")
    for section, plan in _PLANS.items():
        filled[section] = conformed(raw.get(section) or {}, plan, section)
    filled["seed"] = conformed(raw.get("seed", 0), int, "seed")
    problems.report()
    for spec in filled["watch"]:
        if spec["enabled"]:
            del spec["enabled"]
    recipe = Recipe(**filled)
    _check(recipe)
    return recipe


def _components(
    raw: Mapping[str, Any], roles: Mapping[str, str], visit: Callable[[str, Any, str, Any], Any]
) -> dict[str, Any]:
    """The sections that hold components, with each spec replaced by ``visit(kind, spec, key, extra settings)``."""
    made: dict[str, Any] = {"trainer": visit("trainer", raw.get("trainer"), "trainer", None)}
    for section, kind, extras in (
        ("data", "dataset", None),
        ("players", "", _PLAYER),
        ("optimisers", "optimiser", _OPTIMISER),
    ):
        made[section] = {
            key: visit(kind or roles.get(key, ""), spec, f"{section}.{key}", extras)
            for key, spec in _items(raw.get(section))
        }
    made["phases"] = {
        key: {
            "chains": visit("chains", spec.get("chains"), f"phases.{key}.chains", None),
            "sampler": visit("sampler", spec.get("sampler"), f"phases.{key}.sampler", None),
            "steps": spec.get("steps"),
            "nets": spec.get("nets", "eval"),
        }
        if isinstance(spec, Mapping)
        else spec
        for key, spec in _items(raw.get("phases"))
    }
    for section, kind, extras in _LISTS:
        specs = raw.get(section)
        made[section] = tuple(
            visit(kind, spec, f"{section}.{i}", extras)
            for i, spec in enumerate(specs if isinstance(specs, list | tuple) else [])
        )
    return made


def _items(section: Any) -> list[tuple[str, Any]]:
    return list(section.items()) if isinstance(section, Mapping) else []


def _outline(raw: Mapping[str, Any], registry: Registry) -> tuple[dict[str, Any], list[UserError]]:
    """Every key that the recipe has or can have, without checks, and the errors of components that were not found."""
    problems: list[UserError] = []

    def visit(kind: str, spec: Any, where: str, extras: Any) -> Any:
        try:
            return registry.outline(kind, spec, extras) if kind else spec
        except UserError as error:
            problems.append(error)
            return spec

    declared: dict[str, Any] = {}
    roles: Mapping[str, str] = {}
    named = raw["trainer"].get("name") if isinstance(raw.get("trainer"), Mapping) else None
    with suppress(UserError):  # `visit` keeps the error
        if isinstance(named, str):
            trainer: Any = registry.resolve("trainer", named)
            roles = _kinds(trainer.roles)
            declared = {"data": trainer.streams, "players": roles, "optimisers": roles, "phases": trainer.draws}
    made = _components(raw, roles, visit)
    for section, keys in declared.items():
        made[section] = {**dict.fromkeys(keys), **made[section]}
    for section, plan in _PLANS.items():
        made[section] = {**{f.name: None for f in dataclasses.fields(plan)}, **dict(_items(raw.get(section)))}
    outline: dict[str, Any] = plain({**dict.fromkeys(SECTIONS), **raw, **made})
    return outline, problems


def _callbacks(given: Any) -> Any:
    """The suite's callbacks with the changes that ``given`` makes to them, followed by the other entries."""
    if given is None:
        given = []
    if not isinstance(given, list | tuple) or not all(isinstance(spec, Mapping) for spec in given):
        return given  # `_fill` raises the error
    names = [spec.get("name") for spec in given]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise RecipeError(f'watch.{i}: "{name}" is in the list twice; remove one')
    own = [dict(given[names.index(name)]) if name in names else {"name": name} for name in WATCH]
    return [*own, *(dict(spec) for spec in given if spec.get("name") not in WATCH)]


def plugins_of(recipe: Recipe) -> frozenset[str]:
    """The plugins that the recipe uses: the plugin of the recipe and those of its components."""

    def names(tree: Any) -> Iterator[str]:
        if isinstance(tree, Mapping):
            if isinstance(tree.get("name"), str):
                yield tree["name"]
            tree = list(tree.values())
        if isinstance(tree, list):
            for value in tree:
                yield from names(value)

    found = [recipe.recipe, *names(plain(recipe))]
    return frozenset(name.partition("/")[0] if "/" in name else CORE for name in found)


def fill_metric(spec: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
    """The complete spec of a metric that is not part of a recipe."""
    filled: dict[str, Any] = registry.fill("metric", spec, str(spec.get("name", "metric")), _METRIC)
    return filled


def _check_phase(spec: Any, where: str) -> None:
    keys = {"chains", "sampler", "steps", "nets"}
    if not isinstance(spec, Mapping):
        raise RecipeError(f"{where}: must be a mapping {{chains: ..., sampler: ..., steps: ...}}")
    for key in spec:
        if key not in keys:
            close = difflib.get_close_matches(str(key), keys, n=1)
            hint = f"did you mean {close[0]}?" if close else f"the keys of a phase are: {', '.join(sorted(keys))}"
            raise RecipeError(f"{where}.{key}: no such key; {hint}")
    if "steps" not in spec:
        raise RecipeError(f"{where}.steps: is missing; set the number of steps")


def _frozen(players: Mapping[str, Any]) -> frozenset[str]:
    specs = [(k, s) for k, s in players.items() if isinstance(s, Mapping) and s.get("name") == TRAINED]
    return frozenset(k for k, s in specs if s.get("frozen", True))


def _kinds(roles: Mapping[str, Any]) -> dict[str, str]:
    return {name: role.kind for name, role in roles.items()}


def _optional(declared: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for name, what in declared.items() if what.optional)


def _same_keys(
    given: Mapping[str, Any], wanted: tuple[str, ...], where: str, what: str, optional: frozenset[str] = frozenset()
) -> None:
    for key in given:
        if key not in wanted:
            close = difflib.get_close_matches(str(key), wanted, n=1)
            hint = f"; did you mean {close[0]}?" if close else f" (it has: {', '.join(wanted) or 'none'})"
            raise RecipeError(f'{where}.{key}: the trainer has no {what} "{key}"{hint}')
    for key in wanted:
        if key not in given and key not in optional:
            raise RecipeError(f'{where}.{key}: the trainer needs the {what} "{key}"')


def _check(recipe: Recipe) -> None:
    """Raise a `RecipeError` with everything in which the values contradict each other."""
    problems = Problems()
    for text in _contradictions(recipe):
        with problems.noting():
            raise RecipeError(text)
    problems.report()


def _contradictions(recipe: Recipe) -> Iterator[str]:
    positive = {
        "budget.batch": recipe.budget.batch,
        "checkpoint.every": recipe.checkpoint.every,
        "checkpoint.keep": recipe.checkpoint.keep,
        "log.every": recipe.log.every,
        "compute.devices": recipe.compute.devices,
        "compute.threads": 1 if recipe.compute.threads == "auto" else recipe.compute.threads,
        **{f"optimisers.{player}.accumulate": spec["accumulate"] for player, spec in recipe.optimisers.items()},
    }
    for key, value in positive.items():
        if value < 1:
            yield f"{key}: must be at least 1, got {value}"
    if recipe.budget.steps < 0:
        yield f"budget.steps: must not be negative, got {recipe.budget.steps}"
    if recipe.compute.devices > 0 and recipe.budget.batch % recipe.compute.devices:
        yield f"budget.batch: {recipe.budget.batch} cannot be divided among {recipe.compute.devices} processes"
    labels = [m["label"] or m["name"] for m in recipe.metrics]
    for i, label in enumerate(labels):
        if label in labels[:i]:
            yield f'metrics.{i}.label: "{label}" is in metrics twice; give one of them another label'
    best = recipe.checkpoint.best
    if best is not None:
        due = [m["every"] for m in recipe.metrics if m["every"] and best.startswith(m["label"] or m["name"])]
        if not due:
            yield (
                f'checkpoint.best: no metric of the recipe with "every" gives a score "{best}"; '
                "name one, or set checkpoint.best=null"
            )
        elif recipe.checkpoint.every > 0 and due[0] % recipe.checkpoint.every:
            yield "checkpoint.best: the metric's every must be a multiple of checkpoint.every"


# -- changing -----------------------------------------------------------------------------------------------------


def _paths(tree: Any, prefix: str = "") -> Iterator[str]:
    if prefix:
        yield prefix
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _paths(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(tree, list) and tree and isinstance(tree[0], Mapping):
        for i, value in enumerate(tree):
            yield from _paths(value, f"{prefix}.{i}")


def _find(key: str, tree: Any) -> str:
    """The only dotted key of ``tree`` that is ``key`` or ends with it. Raises a `RecipeError` if there is not one."""
    paths = list(_paths(tree))
    if key in paths:
        return key
    found = [p for p in paths if p.endswith("." + key)]
    if len(found) == 1:
        return found[0]
    if found:
        raise RecipeError(f'"{key}" is ambiguous: it could be {", ".join(found)}; write more of the key')
    last = {p.rpartition(".")[2]: p for p in reversed(paths)}
    close = difflib.get_close_matches(key, paths, n=2) or [
        last[w] for w in difflib.get_close_matches(key.rpartition(".")[2], list(last), n=2)
    ]
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    raise RecipeError(f'there is no key "{key}"{hint}')


def _set(raw: dict[str, Any], path: str, value: Any) -> None:
    node: Any = raw
    *parents, last = path.split(".")
    for part in parents:
        if isinstance(node, list):
            node = node[int(part)]
            continue
        if not isinstance(node.get(part), dict | list):
            node[part] = {}
        node = node[part]
    if isinstance(node, list):
        node[int(last)] = value
    else:
        node[last] = value
