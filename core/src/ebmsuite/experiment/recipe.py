"""An experiment as data: reading, completing and changing recipes.

A recipe is YAML. A ``{name: ...}`` is looked up in the registry, its other keys are keyword arguments of what it
names. `resolve` adds every default, so that the file stored with a run hides nothing.
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

from ebmsuite.errors import DataError, RecipeError, UserError
from ebmsuite.plugins.discovery import CORE
from ebmsuite.plugins.registry import REQUIRED, Parameter, Registry
from ebmsuite.schedule import Schedule
from ebmsuite.values import conform, plain

__all__ = [
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
    """``steps`` learning steps of ``batch`` examples (over all processes)."""

    steps: int
    batch: int


@dataclass(frozen=True)
class CheckpointPlan:
    """A checkpoint every ``every`` steps; the last ``keep`` stay, and the one with the ``best`` score."""

    every: int = 500
    keep: int = 2
    best: str | None = None
    better: Literal["lower", "higher"] = "lower"


@dataclass(frozen=True)
class Compute:
    """Where and how.

    ``device`` "auto" takes CUDA when there is one; bf16 is for nets only; ``devices`` is the number of processes.
    ``fast`` is how chains compute values and gradients (`ebmsuite.sampling.fast`): "auto" measures what pays in runs
    that are long enough to pay for it, and stores it in the run. ``threads`` is the number of CPU threads of a
    process: "auto" measures whether one is faster than all, and stores it in the run (`ebmsuite.experiment.pace`).
    """

    device: str = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"
    devices: int = 1
    fast: Literal["auto", "eager", "compiled", "graphed"] = "auto"
    threads: int | Literal["auto"] = "auto"


@dataclass(frozen=True)
class LogPlan:
    """Numbers are moved to the host, logged and guarded every ``every`` steps."""

    every: int = 10


@dataclass(frozen=True)
class Recipe:
    """A complete recipe. Component specs are ``{name: ..., settings}`` with every setting present.

    ``watch`` lists the suite's own callbacks and then the recipe's; one that is off has ``enabled: False``.
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
        """The text from which `read_recipe` makes this recipe again."""
        return str(yaml.safe_dump(plain(self), sort_keys=False, allow_unicode=True, width=100))


SECTIONS = [f.name for f in dataclasses.fields(Recipe)]
WATCH = ("log", "guard", "progress", "report")
"""The suite's own callbacks: on unless a recipe turns one off."""

_PLAYER = {"of": Parameter("of", Literal["event", "latent"], "event", None)}
_OPTIMISER = {
    "lr": Parameter("lr", float | Schedule, REQUIRED, None),
    "clip": Parameter("clip", float | None, None, None),
    "warm_up": Parameter("warm_up", int, 0, None),
    "ema": Parameter("ema", float | None, None, None),
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
    """YAML 1.1 reads 1e-4 as a text; here it is a number. A key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(k, deep=True) for k, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise RecipeError(f'line {node.start_mark.line + 1}: the key "{key}" is given twice')
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*)(\.[\d_]*)?[eE][-+]?\d+$|^[-+]?(\d[\d_]*)?\.\d[\d_]*([eE][-+]?\d+)?$"),
    list("-+0123456789."),
)


def _parse(text: str, where: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # a SafeLoader: plain values only
    except (yaml.YAMLError, RecipeError) as error:
        raise RecipeError(f"{where}: {' '.join(str(error).split())}") from error


def parse_setting(text: str) -> tuple[str, Any]:
    """The key and the value, read as YAML, of ``key=value``."""
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise RecipeError(f'"{text}" is not of the form key=value')
    return key, _parse(value, key) if value else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not a text in UTF-8 ({error.reason} at byte {error.start})") from error


def stored_text(folder: Path) -> str:
    """The recipe.yaml of a run folder. `DataError` for another folder and for a file that is not complete."""
    path = folder / "recipe.yaml"
    if not path.is_file():
        raise DataError(f"{folder}: not a run folder (it has no recipe.yaml)")
    text = _text(path)
    if not re.search(r"^seed: \S+\n", text, re.MULTILINE):  # the last line that a run writes
        raise DataError(
            f"{path}: damaged, it does not end with its seed; restore it, for example from a run of the same recipe "
            "with the same settings"
        )
    return text


def read_stored(folder: Path, registry: Registry, overrides: Sequence[str] = ()) -> Recipe:
    """The complete recipe of a run folder; errors are those of `stored_text` and `read_recipe`."""
    stored_text(folder)
    return read_recipe(folder / "recipe.yaml", registry, overrides)


def source_of(name: str | Path, registry: Registry) -> tuple[dict[str, Any], str]:
    """The raw recipe of a registered name or of a YAML file, and where it came from."""
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
        raise RecipeError(f"{where}: a recipe is a mapping of keys, see `ebm show image/digits`")
    raw.setdefault("recipe", path.stem if path.is_file() else str(name))
    return raw, where


def read_recipe(
    name: str | Path | Mapping[str, Any],
    registry: Registry,
    overrides: Sequence[str] = (),
    budget: str | None = None,
) -> Recipe:
    """A complete recipe from a name, a file or a mapping; errors name the file and the key."""
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
    "full" without an entry in ``budgets`` is the recipe as it stands.
    """
    own: dict[str, Any] = _upgraded(plain(raw))
    budgets = own.pop("budgets", None) or {}
    changes: list[tuple[str, Any]] = []
    if budget is not None and (budget in budgets or budget != "full"):
        if budget not in budgets:
            raise RecipeError(
                f'budgets: there is no budget "{budget}" (there are: {", ".join(dict.fromkeys(["full", *budgets]))})'
            )
        if not isinstance(budgets[budget], Mapping):
            raise RecipeError(f"budgets.{budget}: a mapping of keys to values is needed here")
        changes += list(budgets[budget].items())
    changes += map(parse_setting, overrides)
    for key, value in changes:
        own["watch"] = _callbacks(own.get("watch"))  # so that watch.1 is an entry that exists
        known, problems = _outline(own, registry)
        try:
            path = _find(key, known)
        except RecipeError as error:
            # the keys of a component that does not exist are not known either
            raise (problems[0] if problems else error) from error
        _set(own, path, value)
    return _fill(own, registry)


def _upgraded(raw: dict[str, Any]) -> dict[str, Any]:
    """A recipe of an earlier version in the words of this one, so that its runs go on."""
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
            hint = f"did you mean {close[0]}?" if close else f"the keys of a recipe: {', '.join(SECTIONS)}"
            raise RecipeError(f"{key}: no such key; {hint}")
    raw = {**raw, "phases": raw.get("phases") or {}, "watch": _callbacks(raw.get("watch"))}
    for key in ("data", "players", "trainer", "phases", "optimisers", "budget"):
        if not isinstance(raw.get(key), Mapping):
            raise RecipeError(f"{key}: a mapping is needed here")
    for key, _, _ in _LISTS:
        if not isinstance(raw.get(key, []), list | tuple):
            raise RecipeError(f"{key}: a list is needed here")
    registry.fill("trainer", raw["trainer"], "trainer")
    trainer: Any = registry.resolve("trainer", raw["trainer"]["name"])
    _same_keys(raw["data"], trainer.streams, "data", "stream")
    _same_keys(raw["players"], tuple(trainer.roles), "players", "player", _optional(trainer.roles))
    _same_keys(raw["optimisers"], tuple(raw["players"]), "optimisers", "player")
    _same_keys(raw["phases"], tuple(trainer.draws), "phases", "phase", _optional(trainer.draws))
    for key, spec in raw["phases"].items():
        _check_phase(spec, f"phases.{key}")

    filled = _components(raw, _kinds(trainer.roles), registry.fill)
    for key, phase in filled["phases"].items():
        phase["steps"] = conform(phase["steps"], int | Schedule, f"phases.{key}.steps")
        phase["nets"] = conform(phase["nets"], Literal["eval", "train"], f"phases.{key}.nets")
    filled["recipe"], filled["paper"] = str(raw.get("recipe", "recipe")), str(raw.get("paper", ""))
    latent = raw.get("latent")
    filled["latent"] = (
        None if latent is None else conform([latent] if isinstance(latent, int) else latent, tuple[int, ...], "latent")
    )
    for section, plan in _PLANS.items():
        filled[section] = conform(raw.get(section) or {}, plan, section)
    filled["seed"] = conform(raw.get("seed", 0), int, "seed")
    for spec in filled["watch"]:
        if spec["enabled"]:
            del spec["enabled"]
    recipe = Recipe(**filled)
    _check(recipe)
    return recipe


def _components(
    raw: Mapping[str, Any], roles: Mapping[str, str], visit: Callable[[str, Any, str, Any], Any]
) -> dict[str, Any]:
    """The sections that hold components, with ``visit(kind, spec, key, extra settings)`` in the place of each spec."""
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
    """Every key that the recipe has or may be given, to find keys in; nothing is checked.

    Also the errors of the components that could not be looked up.
    """
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
    """The suite's own callbacks with the changes that ``given`` makes to them, then its additions."""
    if given is None:
        given = []
    if not isinstance(given, list | tuple) or not all(isinstance(spec, Mapping) for spec in given):
        return given  # `_fill` refuses it
    names = [spec.get("name") for spec in given]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise RecipeError(f'watch.{i}: "{name}" is in the list twice')
    own = [dict(given[names.index(name)]) if name in names else {"name": name} for name in WATCH]
    return [*own, *(dict(spec) for spec in given if spec.get("name") not in WATCH)]


def plugins_of(recipe: Recipe) -> frozenset[str]:
    """The plugins that the recipe names: that of the recipe itself and those of its components."""

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
    """A complete spec of a metric outside a recipe."""
    filled: dict[str, Any] = registry.fill("metric", spec, str(spec.get("name", "metric")), _METRIC)
    return filled


def _check_phase(spec: Any, where: str) -> None:
    keys = {"chains", "sampler", "steps", "nets"}
    if not isinstance(spec, Mapping):
        raise RecipeError(f"{where}: {{chains: ..., sampler: ..., steps: ...}} is needed here")
    for key in spec:
        if key not in keys:
            close = difflib.get_close_matches(str(key), keys, n=1)
            raise RecipeError(f"{where}.{key}: no such key; {f'did you mean {close[0]}?' if close else sorted(keys)}")
    if "steps" not in spec:
        raise RecipeError(f"{where}.steps: a value is needed")


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
            raise RecipeError(f'{where}.{key}: the trainer needs its {what} "{key}"')


def _check(recipe: Recipe) -> None:
    positive = {
        "budget.batch": recipe.budget.batch,
        "checkpoint.every": recipe.checkpoint.every,
        "checkpoint.keep": recipe.checkpoint.keep,
        "log.every": recipe.log.every,
        "compute.devices": recipe.compute.devices,
        "compute.threads": 1 if recipe.compute.threads == "auto" else recipe.compute.threads,
    }
    for key, value in positive.items():
        if value < 1:
            raise RecipeError(f"{key}: must be at least 1, got {value}")
    if recipe.budget.steps < 0:
        raise RecipeError(f"budget.steps: cannot be negative, got {recipe.budget.steps}")
    if recipe.budget.batch % recipe.compute.devices:
        raise RecipeError(
            f"budget.batch: {recipe.budget.batch} cannot be divided among {recipe.compute.devices} processes"
        )
    labels = [m["label"] or m["name"] for m in recipe.metrics]
    for i, label in enumerate(labels):
        if label in labels[:i]:
            raise RecipeError(f'metrics.{i}.label: "{label}" is scored twice; give one of them a label')
    best = recipe.checkpoint.best
    if best is not None:
        due = [m["every"] for m in recipe.metrics if m["every"] and best.startswith(m["label"] or m["name"])]
        if not due:
            raise RecipeError(
                f'checkpoint.best: no metric of the recipe with "every" gives a score "{best}"; '
                "name one, or set checkpoint.best=null"
            )
        if due[0] % recipe.checkpoint.every:
            raise RecipeError("checkpoint.best: the metric's every must be a multiple of checkpoint.every")


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
    """The one dotted key that ends with ``key``."""
    paths = list(_paths(tree))
    if key in paths:
        return key
    found = [p for p in paths if p.endswith("." + key)]
    if len(found) == 1:
        return found[0]
    if found:
        raise RecipeError(f'"{key}" could be {", ".join(found)}: write more of the key')
    last = {p.rpartition(".")[2]: p for p in reversed(paths)}
    close = difflib.get_close_matches(key, paths, n=2) or [
        last[w] for w in difflib.get_close_matches(key.rpartition(".")[2], list(last), n=2)
    ]
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    raise RecipeError(f'there is no key "{key}"{hint}')


def _set(raw: dict[str, Any], path: str, value: Any) -> None:
    at: Any = raw
    *parents, last = path.split(".")
    for part in parents:
        if isinstance(at, list):
            at = at[int(part)]
            continue
        if not isinstance(at.get(part), dict | list):
            at[part] = {}
        at = at[part]
    if isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
