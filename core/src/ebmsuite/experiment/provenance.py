"""The description of the data in a run (``data.json``), and its comparison with the data found later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ebmsuite.dataset import Dataset
from ebmsuite.errors import DataError
from ebmsuite.space import ConditionSpace, Space
from ebmsuite.values import conform, plain

__all__ = [
    "FILE",
    "changes",
    "compare",
    "condition_lines",
    "describe",
    "describe_stream",
    "difference",
    "differences",
    "line",
    "read",
    "space_of",
]

FILE = "data.json"
NAMES = 5
"""Number of names of skipped inputs that are kept per reason, and of class names that are shown."""


def describe(streams: Mapping[str, Dataset], condition: ConditionSpace) -> dict[str, Any]:
    """The content of ``data.json``.

    Spaces, codec and example count are those of the first stream; a model needs them to work without its data. Each
    stream has its example count, digest, note and skipped inputs.
    """
    first = next(iter(streams.values()))
    described = {
        "event": plain(first.event),
        "condition": plain(condition) if condition else None,
        "examples": len(first),
        "codec": {"name": first.codec.name, **plain(first.codec)} if first.codec is not None else None,
        "streams": {name: describe_stream(dataset) for name, dataset in streams.items()},
    }
    return dict(json.loads(json.dumps(described)))


def describe_stream(dataset: Dataset) -> dict[str, Any]:
    """Example count, digest, note and skipped inputs of one data set."""
    skipped = {why: {"count": len(names), "first": list(names[:NAMES])} for why, names in dataset.skipped.items()}
    return {"examples": len(dataset), "digest": dataset.digest(), "note": dataset.note, "skipped": skipped}


def read(folder: Path) -> dict[str, Any]:
    """The content of the ``data.json`` of a run folder. Raises a `DataError` if it is missing or damaged."""
    path = folder / FILE
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} is missing: the run ended before its first step; start it again") from None
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read ({error}); copy it from a run of the same recipe and data, or train again"
        ) from error
    if not isinstance(stored, dict) or not {"event", "condition", "examples", "codec"} <= stored.keys():
        raise DataError(f"{path} is incomplete; copy it from a run of the same recipe and data, or train again")
    return stored


def space_of(stored: Any, where: str = "condition") -> ConditionSpace:
    """The space of a condition from its description in ``data.json``. Raises `RecipeError` if it is invalid."""
    leaves = _leaves(stored, where)
    if where in leaves:
        return None if stored is None else conform(stored, Space, where)
    if isinstance(stored, list):
        return tuple(space_of(below, f"{where}.{i}") for i, below in enumerate(stored))
    return {key: space_of(below, f"{where}.{key}") for key, below in stored.items()}


def _leaves(stored: Any, path: str) -> dict[str, Any]:
    """The spaces in a stored condition by path. A mapping is a Space if its ``kind`` is a text, otherwise a node."""
    if isinstance(stored, list):
        below: Any = enumerate(stored)
    elif isinstance(stored, dict) and not isinstance(stored.get("kind"), str):
        below = stored.items()
    else:
        return {path: stored}
    return {k: leaf for key, tree in below for k, leaf in _leaves(tree, f"{path}.{key}").items()}


def compare(folder: Path, now: Mapping[str, Any], allow: bool) -> list[str]:
    """The differences between the examples ``now`` and the examples that the run in ``folder`` was created with.

    Writes nothing. Raises a `DataError` of one line if spaces or codec differ, or if the examples differ and ``allow``
    is not set. If the run ended before its first step there is nothing to compare, and the result is empty.
    """
    if not (folder / FILE).exists() and not any((folder / "checkpoints").glob("step-*")):
        return []
    spaces, examples = differences(read(folder), now)
    if spaces:
        raise DataError(
            f"{folder}: the data are not those of this run: {'; '.join([*spaces, *examples])}. The weights do not fit "
            "these data: resume with the original data, or train a new run"
        )
    if examples and not allow:
        raise DataError(
            f"{folder}: the data are not those of this run: {'; '.join(examples)}. Resume with the original data, or "
            "accept the change with --allow-changed-data"
        )
    return examples


def differences(stored: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The differences between the data ``now`` and the stored data of a run, as (spaces and codec, examples).

    The first list has differences of spaces and codec: weights learned with one vocabulary or scale are invalid with
    another. The second list has differences of counts, digests and notes. If a run from an earlier version stored no
    digests, only the stored values are compared.
    """
    old, new = (
        {"event": d["event"], **_leaves(d["condition"], "condition"), "codec": d["codec"]} for d in (stored, now)
    )
    spaces = [
        f"{key} {_shown(old.get(key), new.get(key))}" for key in {**old, **new} if not _same(old.get(key), new.get(key))
    ]
    before = stored.get("streams") or {next(iter(now["streams"])): {"examples": stored["examples"]}}
    examples = [
        change
        for name, stream in now["streams"].items()
        if name in before
        for change in changes(f"data.{name}", before[name], stream)
    ]
    return spaces, examples


def difference(stored: Any, now: Any) -> str:
    """The first difference between two values as `plain` gives them, in words; empty if there is none."""
    now = json.loads(json.dumps(plain(now)))
    return "" if _same(stored, now) else _shown(stored, now)


def changes(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The differences between a stream ``now`` and ``before``, both as `describe_stream` returns them."""
    found = []
    if before["examples"] != now["examples"]:
        found.append(f"{name} has {now['examples']:,} examples, the run had {before['examples']:,}")
    elif before.get("digest", now["digest"]) != now["digest"]:
        found.append(f"{name} has other examples, or the same in another order (the digest differs)")
    if before.get("note", now["note"]) != now["note"]:
        found.append(f'{name} is now "{now["note"]}", the run had "{before["note"]}"')
    return found


def line(name: str, stream: Mapping[str, Any]) -> str:
    """A line of text that says which examples a stream uses, and which inputs were skipped and why."""
    said = f"{name}: {stream['examples']:,} examples"
    if stream["note"]:
        said += f" ({stream['note']})"
    if stream["skipped"]:
        said += "; skipped " + ", ".join(_skipped(why, what) for why, what in stream["skipped"].items())
    return said


def condition_lines(stored: Any) -> list[str]:
    """A line of text per leaf of a stored condition: its kind, shape, classes with their names, and mask."""
    return [f"{path}: {_leaf(leaf)}" for path, leaf in _leaves(stored, "condition").items() if leaf is not None]


def _leaf(leaf: Mapping[str, Any]) -> str:
    said = str(leaf["kind"])
    if leaf["shape"]:
        said += f" [{', '.join('length' if n is None else str(n) for n in leaf['shape'])}]"
    if leaf["classes"]:
        said += f", {leaf['classes']} classes"
    if names := leaf.get("names"):
        said += f" ({', '.join(names[:NAMES])}{', ...' if len(names) > NAMES else ''})"
    if leaf.get("mask"):
        said += f", where {leaf['mask']} is true"
    return said + ", optional" * bool(leaf.get("optional"))


def _skipped(why: str, what: Mapping[str, Any]) -> str:
    more = ", ..." if what["count"] > len(what["first"]) else ""
    return f"{what['count']:,} {why} ({', '.join(what['first'])}{more})"


def _same(stored: Any, now: Any) -> bool:
    """Whether the values are equal, ignoring keys that ``stored`` lacks because they are newer than the run."""
    if isinstance(stored, dict) and isinstance(now, dict):
        return stored.keys() <= now.keys() and all(_same(stored[key], now[key]) for key in stored)
    return bool(stored == now)


def _shown(stored: Any, now: Any) -> str:
    """The first difference between two plain values, short enough for one line."""
    if isinstance(stored, dict) and isinstance(now, dict):
        for key in stored:
            if not _same(stored[key], now.get(key)):
                return f"{key} {_shown(stored[key], now.get(key))}"
    if isinstance(stored, list) and isinstance(now, list):
        if len(stored) != len(now):
            return f"has {len(now)} entries, the run has {len(stored)}"
        i = next(i for i, (a, b) in enumerate(zip(stored, now, strict=True)) if a != b)
        return f"entry {i + 1} {_shown(stored[i], now[i])}"
    return f"is {_short(now)}, the run has {_short(stored)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
