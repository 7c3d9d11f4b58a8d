"""What a run remembers of its data (``data.json``), and how it is compared with the data found later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ebmsuite.dataset import Dataset
from ebmsuite.errors import DataError
from ebmsuite.space import ConditionSpace
from ebmsuite.values import plain

__all__ = ["FILE", "changes", "compare", "describe", "describe_stream", "differences", "line", "read"]

FILE = "data.json"
NAMES = 5
"""Names of skipped inputs that are kept per reason."""


def describe(streams: Mapping[str, Dataset], condition: ConditionSpace) -> dict[str, Any]:
    """The content of ``data.json``.

    Spaces, codec and example count are those of the first stream: a model needs them to work without its data. Each
    stream has its example count, digest, note and what was skipped.
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
    """The ``data.json`` of a run folder. `DataError` when it is missing or damaged."""
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


def compare(folder: Path, now: Mapping[str, Any], allow: bool) -> list[str]:
    """How the examples ``now`` differ from those that the run in ``folder`` was created with.

    Nothing is written. `DataError`, one line, when spaces or codec differ, and when examples do and ``allow`` is not
    set. A folder whose run ended before its first step has nothing to compare with.
    """
    if not (folder / FILE).exists() and not any((folder / "checkpoints").glob("step-*")):
        return []
    spaces, examples = differences(read(folder), now)
    if spaces:
        raise DataError(
            f"{folder}: the data are not those of this run: {'; '.join([*spaces, *examples])}. Its weights do not fit "
            "them: resume with the original data, or train a new run"
        )
    if examples and not allow:
        raise DataError(
            f"{folder}: the data are not those of this run: {'; '.join(examples)}. Resume with the original data, or "
            "accept the change with --allow-changed-data"
        )
    return examples


def differences(stored: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """How the data ``now`` differ from those that a run stored: (what weights depend on, which examples they are).

    The first are spaces and codec: weights learned under one vocabulary or scale mean nothing under another. The
    second are counts, digests and notes. A run that was created before digests were stored is compared in what it has.
    """
    spaces = [
        f"{key} {_shown(stored[key], now[key])}"
        for key in ("event", "condition", "codec")
        if not _same(stored[key], now[key])
    ]
    before = stored.get("streams") or {next(iter(now["streams"])): {"examples": stored["examples"]}}
    examples = [
        change
        for name, stream in now["streams"].items()
        if name in before
        for change in changes(f"data.{name}", before[name], stream)
    ]
    return spaces, examples


def changes(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """How a stream ``now`` differs from ``before``, both as `describe_stream` gives them."""
    found = []
    if before["examples"] != now["examples"]:
        found.append(f"{name} has {now['examples']:,} examples, the run had {before['examples']:,}")
    elif before.get("digest", now["digest"]) != now["digest"]:
        found.append(f"{name} has other examples, or another order (their digest differs)")
    if before.get("note", now["note"]) != now["note"]:
        found.append(f'{name} is now "{now["note"]}", the run had "{before["note"]}"')
    return found


def line(name: str, stream: Mapping[str, Any]) -> str:
    """One line for people: what a stream uses, what was skipped and why."""
    said = f"{name}: {stream['examples']:,} examples"
    if stream["note"]:
        said += f" ({stream['note']})"
    if stream["skipped"]:
        said += "; skipped " + ", ".join(_skipped(why, what) for why, what in stream["skipped"].items())
    return said


def _skipped(why: str, what: Mapping[str, Any]) -> str:
    more = ", ..." if what["count"] > len(what["first"]) else ""
    return f"{what['count']:,} {why} ({', '.join(what['first'])}{more})"


def _same(stored: Any, now: Any) -> bool:
    """Equal, where a key that the stored one lacks (it is newer than the run) does not count."""
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
