"""An experiment as data: reading, completing and changing recipes.

A recipe is YAML. A ``{name: ...}`` is looked up in the registry, its other keys are keyword arguments of what it
names. `resolve` adds every default, so that the file stored with a run hides nothing.
"""

from __future__ import annotations

import copy
import dataclasses
import difflib
import importlib.resources
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from ebmsuite.conform import conform, plain
from ebmsuite.errors import DataError, RecipeError
from ebmsuite.registry import REQUIRED, Parameter, Registry
from ebmsuite.schedule import Schedule

__all__ = [
    "Budget",
    "CheckpointPlan",
    "Compute",
    "Recipe",
    "fill_metric",
    "parse_setting",
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
    process: "auto" measures whether one is faster than all, and stores it in the run (`ebmsuite.pace`).
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
    """A complete recipe. Component specs are ``{name: ..., settings}`` with every setting present."""

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
WATCH = [{"name": "log"}, {"name": "guard"}, {"name": "progress"}, {"name": "report"}]

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
    """Apply a budget and then ``key=value`` overrides, check every key and add every default.

    "full" without an entry in ``budgets`` is the recipe as it stands.
    """
    own: dict[str, Any] = copy.deepcopy(dict(raw))
    budgets = own.pop("budgets", None) or {}
    changes: list[tuple[str, Any]] = []
    if budget is not None and (budget in budgets or budget != "full"):
        if budget not in budgets:
            raise RecipeError(
                f'budgets: there is no budget "{budget}" (there are: {", ".join(dict.fromkeys(["full", *budgets]))})'
            )
        changes += list(budgets[budget].items())
    changes += map(parse_setting, overrides)
    filled = _fill(own, registry)
    for key, value in changes:
        _set(own, _find(key, plain(filled)), value)
        filled = _fill(own, registry)
    return filled


def _fill(raw: Mapping[str, Any], registry: Registry) -> Recipe:
    for key in raw:
        if key not in SECTIONS:
            close = difflib.get_close_matches(str(key), SECTIONS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"the keys of a recipe: {', '.join(SECTIONS)}"
            raise RecipeError(f"{key}: no such key; {hint}")
    for key in ("data", "players", "trainer", "optimisers", "budget"):
        if not isinstance(raw.get(key), Mapping):
            raise RecipeError(f"{key}: a mapping is needed here")
    filled: dict[str, Any] = {"recipe": str(raw.get("recipe", "recipe")), "paper": str(raw.get("paper", ""))}
    filled["trainer"] = registry.fill("trainer", raw["trainer"], "trainer")
    trainer: Any = registry.resolve("trainer", raw["trainer"]["name"])

    _same_keys(raw["data"], trainer.streams, "data", "stream")
    filled["data"] = {k: registry.fill("dataset", v, f"data.{k}") for k, v in raw["data"].items()}
    _same_keys(raw["players"], tuple(trainer.roles), "players", "player", trainer.optional)
    filled["players"] = {
        k: registry.fill(trainer.roles[k], v, f"players.{k}", _PLAYER) for k, v in raw["players"].items()
    }
    _same_keys(raw["optimisers"], tuple(raw["players"]), "optimisers", "player")
    filled["optimisers"] = {
        k: registry.fill("optimiser", v, f"optimisers.{k}", _OPTIMISER) for k, v in raw["optimisers"].items()
    }
    phases = raw.get("phases") or {}
    _same_keys(phases, tuple(trainer.draws), "phases", "phase", trainer.optional)
    filled["phases"] = {k: _fill_phase(v, f"phases.{k}", registry) for k, v in phases.items()}

    latent = raw.get("latent")
    filled["latent"] = (
        None if latent is None else conform([latent] if isinstance(latent, int) else latent, tuple[int, ...], "latent")
    )
    for section, kind, extras in (
        ("metrics", "metric", _METRIC),
        ("render", "renderer", _RENDER),
        ("watch", "watcher", None),
    ):
        specs = raw.get(section, WATCH if section == "watch" else [])
        if not isinstance(specs, list | tuple):
            raise RecipeError(f"{section}: a list is needed here")
        filled[section] = tuple(registry.fill(kind, spec, f"{section}.{i}", extras) for i, spec in enumerate(specs))
    plans = {"budget": Budget, "checkpoint": CheckpointPlan, "log": LogPlan, "compute": Compute}
    for section, plan in plans.items():
        filled[section] = conform(raw.get(section) or {}, plan, section)
    filled["seed"] = conform(raw.get("seed", 0), int, "seed")
    recipe = Recipe(**filled)
    _check(recipe)
    return recipe


def fill_metric(spec: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
    """A complete spec of a metric outside a recipe."""
    filled: dict[str, Any] = registry.fill("metric", spec, str(spec.get("name", "metric")), _METRIC)
    return filled


def _fill_phase(spec: Any, where: str, registry: Registry) -> dict[str, Any]:
    keys = {"chains", "sampler", "steps", "nets"}
    if not isinstance(spec, Mapping):
        raise RecipeError(f"{where}: {{chains: ..., sampler: ..., steps: ...}} is needed here")
    for key in spec:
        if key not in keys:
            close = difflib.get_close_matches(str(key), keys, n=1)
            raise RecipeError(f"{where}.{key}: no such key; {f'did you mean {close[0]}?' if close else sorted(keys)}")
    if "steps" not in spec:
        raise RecipeError(f"{where}.steps: a value is needed")
    return {
        "chains": registry.fill("chains", spec.get("chains"), f"{where}.chains"),
        "sampler": registry.fill("sampler", spec.get("sampler"), f"{where}.sampler"),
        "steps": conform(spec["steps"], int | Schedule, f"{where}.steps"),
        "nets": conform(spec.get("nets", "eval"), Literal["eval", "train"], f"{where}.nets"),
    }


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
            raise RecipeError(f'checkpoint.best: no metric of the recipe with "every" gives a score "{best}"')
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
    for i, part in enumerate(parents):
        if isinstance(at, list | tuple):
            at = at[int(part)]
            continue
        below = at.get(part)
        if not isinstance(below, dict | list):
            below = at[part] = [dict(w) for w in WATCH] if path.startswith("watch.") and i == 0 else {}
        at = below
    if isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
