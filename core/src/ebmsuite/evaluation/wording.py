"""Turn scores, comparisons and protocols (how a score was computed) into text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ebmsuite.scores import Difference, Row

__all__ = ["bar", "compared", "ours", "words"]

WEIGHTS = {"ema": "averaged weights", "raw": "current weights"}
SCHEDULE = {"start", "end", "over"}
LONG = 6
"""Lists with more entries than this are abbreviated."""


def ours(row: Row) -> str:
    """Our value with its spread over seeds or its interval; empty for a row that was skipped."""
    if row.status == "skipped":
        return ""
    if row.spread is not None:
        return f"{row.mean:.4g} ± {row.spread:.2g} ({len(row.values)} seeds)"
    return f"{row.mean:.4g}" + (f" [{row.interval[0]:.4g}, {row.interval[1]:.4g}]" if row.interval else "")


def bar(row: Row) -> str:
    """The bar of the row, with the direction; empty without one."""
    return "" if row.bar is None else f"{'≤' if row.better == 'lower' else '≥'} {row.bar:g}"


def compared(label: str, of: Difference, better: str) -> str:
    """A paired difference, which model is better, by how much, and whether the margin is reached."""
    said = f"ours - {label}: {of.mean:+.4g}"
    advantage = of.advantage(better)
    who = "equal" if of.mean == 0 else "ours is better" if of.gain(better) > 0 else f"{label} is better"
    if of.standard_error is None:
        said += f" (1 seed, so the standard error is unknown); {who}"
    else:
        said += f" ± {of.standard_error:.2g} (standard error, {len(of.values)} paired seeds); {who}"
        if advantage and math.isfinite(advantage):
            said += f" by {abs(advantage):.1f} standard errors"
    if of.margin is None:
        return said
    reached = {True: "reached", False: "missed", None: "unknown"}[of.reaches_margin(better)]
    asked = f"{of.margin:g} standard errors" if of.margin else "0"
    return f"{said}; margin {'≥' if of.margin < 0 else '>'} {asked}: {reached}"


def words(protocol: Mapping[str, Any]) -> str:
    """The protocol as text: counts and split, other facts, the model, and its chains.

    Facts that are None are left out. Unknown keys are written with spaces for underscores.
    """
    facts = {k: v for k, v in protocol.items() if v is not None}
    if isinstance(facts.get("model"), Mapping):  # from `Model.describe`; the other facts are those of the metric
        described = facts.pop("model")
        facts |= {k: v for k, v in described.items() if v is not None}
    first: list[str] = []
    last: list[str] = []
    if "n_samples" in facts:
        of = facts.pop("of", "model")
        first.append(f"{value(facts.pop('n_samples'))} samples of {'the model' if of == 'model' else value(of)}")
    if "split" in facts:
        first.append(f"{facts.pop('split')} split")
    if "n_reference" in facts:
        of = f" ({facts.pop('reference')})" if "reference" in facts else ""
        first.append(f"{value(facts.pop('n_reference'))} reference examples{of}")
    phases = facts.pop("phases", None)
    for key, what in (("recipe", "recipe {}"), ("weights", "{}"), ("step", "step {}")):
        if key in facts:
            fact = facts.pop(key)
            last.append(what.format(WEIGHTS.get(str(fact), value(fact))))
    said = ", ".join([*first, *(_fact(k, v) for k, v in facts.items()), *last])
    if isinstance(phases, Mapping) and phases:
        chains = "chains: " + ", ".join(_phase(str(k), v) for k, v in phases.items())
        said = f"{said}; {chains}" if said else chains
    return said


def _fact(key: str, fact: Any) -> str:
    name = key.replace("_", " ")
    if isinstance(fact, Mapping) and "id" in fact:  # an extractor
        own = _settings({k: v for k, v in fact.items() if k != "id"})
        return f"{name} {fact['id']}{own}"
    if isinstance(fact, bool):
        return name if fact else f"no {name}"
    return f"{name} {value(fact)}"


def _phase(name: str, phase: Any) -> str:
    if not isinstance(phase, Mapping):
        return f"{name} {value(phase)}"
    said = f"{name} {value(phase.get('steps'))} steps of {value(phase.get('sampler'))}"
    if phase.get("chains") is not None:
        said += f" from {value(phase['chains'])}"
    return said + (" with nets in train mode" if phase.get("nets") == "train" else "")


def value(of: Any) -> str:
    """A plain value as text: 1,000 with a separator, a component as ``name (settings)``, a schedule as ``a to b``."""
    if isinstance(of, bool):
        return "yes" if of else "no"
    if isinstance(of, int):
        return f"{of:,}"
    if isinstance(of, float):
        return f"{of:,.0f}" if of.is_integer() and 1e3 <= abs(of) < 1e15 else f"{of:.6g}"
    if isinstance(of, Mapping):
        if of.keys() >= SCHEDULE:
            shape = f"{of['shape']} " if of.get("shape") not in (None, "linear") else ""
            return f"{value(of['start'])} to {value(of['end'])} ({shape}over {value(of['over'])} steps)"
        if isinstance(of.get("name"), str):
            return str(of["name"]) + _settings({k: v for k, v in of.items() if k != "name"})
        return _settings(of).strip() or "none"
    if isinstance(of, Sequence) and not isinstance(of, str):
        parts = [value(v) for v in of]
        if len(parts) == 1:
            return parts[0]
        if len(parts) > LONG:
            parts = [*parts[:2], "...", parts[-1]]
        integers = 1 < len(of) <= 4 and all(isinstance(v, int) and not isinstance(v, bool) for v in of)  # a shape
        return " x ".join(parts) if integers else "[" + ", ".join(parts) + "]"
    return str(of)


def _settings(settings: Mapping[str, Any]) -> str:
    said = ", ".join(_fact(str(k), v) for k, v in settings.items() if v is not None)
    return f" ({said})" if said else ""
