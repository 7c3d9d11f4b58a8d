"""Conversion of recipe values to the type annotations of the settings that take them."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union

from ebmsuite.errors import Problems, RecipeError

__all__ = ["conform", "plain"]


def conform(value: Any, hint: Any, where: str) -> Any:
    """Convert ``value`` to the type ``hint`` (int -> float, list -> tuple, mapping -> dataclass).

    Raises `RecipeError`, which names ``where`` and the expected type.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or isinstance(hint, typing.TypeVar):
        return value
    if origin in (Union, types.UnionType):
        for option in arguments:
            if option is not type(None) and dataclasses.is_dataclass(option) and isinstance(value, Mapping):
                return conform(value, option, where)
        for option in sorted(arguments, key=lambda o: o is not type(value)):
            try:
                return conform(value, option, where)
            except RecipeError:
                continue
    elif origin is Literal:
        if value in arguments:
            return value
        close = difflib.get_close_matches(str(value), [str(a) for a in arguments], n=1)
        choices = ", ".join(map(str, arguments))
        hint_text = f"; did you mean {close[0]}?" if close else ""
        raise RecipeError(f"{where}: {value!r} is not one of {choices}{hint_text}")
    elif origin in (list, tuple, Sequence) and isinstance(value, list | tuple):
        if origin is tuple and arguments and arguments[-1] is not Ellipsis:
            if len(value) == len(arguments):
                return tuple(
                    conform(v, h, f"{where}.{i}") for i, (v, h) in enumerate(zip(value, arguments, strict=True))
                )
        else:
            item = arguments[0] if arguments else Any
            made = [conform(v, item, f"{where}.{i}") for i, v in enumerate(value)]
            return made if origin is list else tuple(made)
    elif origin in (dict, Mapping) and isinstance(value, Mapping):
        return {k: conform(v, arguments[1], f"{where}.{k}") for k, v in value.items()}
    elif dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if isinstance(value, hint):
            return value
        if isinstance(value, Mapping):
            return _dataclass(value, hint, where)
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif hint is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    elif hint in (None, type(None)):
        if value is None:
            return None
    elif isinstance(hint, type) and hint not in (int, float) and isinstance(value, hint):
        return value
    raise RecipeError(f"{where}: expected {_name(hint)}, got {value!r}")


def _dataclass(value: Mapping[str, Any], hint: Any, where: str) -> Any:
    hints = typing.get_type_hints(hint)
    fields = {f.name: f for f in dataclasses.fields(hint) if f.init}
    problems, made = Problems(), {}
    for key in value:
        with problems.noting():
            if key not in fields:
                close = difflib.get_close_matches(str(key), list(fields), n=1)
                text = f"did you mean {where}.{close[0]}?" if close else f"its keys: {', '.join(fields)}"
                raise RecipeError(f"{where}.{key}: no such key; {text}")
            made[key] = conform(value[key], hints[key], f"{where}.{key}")
    for name, f in fields.items():
        missing = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        with problems.noting():
            if missing and name not in value:
                raise RecipeError(f"{where}.{name}: a value is needed")
    problems.report()
    try:
        return hint(**made)
    except ValueError as error:  # values that contradict each other
        raise RecipeError(f"{where}: {error}") from error


def _name(hint: Any) -> str:
    if hint is None or hint is type(None):
        return "null"
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_name(a) for a in arguments)
    if isinstance(hint, type) and not arguments:
        return {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}.get(
            hint.__name__, hint.__name__
        )
    return str(hint).replace("typing.", "")


def plain(value: Any) -> Any:
    """The inverse of `conform`, for YAML and JSON: dataclasses become mappings, tuples become lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value
