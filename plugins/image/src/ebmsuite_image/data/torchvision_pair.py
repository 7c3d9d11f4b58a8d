"""Imports torchvision when it is needed, with one clear error when it does not match torch."""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Any

from ebmsuite.errors import PluginError

__all__ = ["import_torchvision"]


def import_torchvision() -> Any:
    """Import and return the module ``torchvision``.

    A build for another version of torch fails in many ways, from "operator torchvision::nms does not exist" to a shared
    library that cannot be loaded. Each becomes a `PluginError` that names both versions and says what to install.
    """
    try:
        return importlib.import_module("torchvision")
    except ModuleNotFoundError as error:
        if error.name == "torchvision":
            raise PluginError(
                f"torchvision is not installed, and {_torch()} is: pip install torchvision "
                "(or uv sync), from the index that torch came from"
            ) from error
        raise PluginError(_mismatch(error)) from error
    except (ImportError, RuntimeError, AttributeError, OSError) as error:
        raise PluginError(_mismatch(error)) from error


def _mismatch(error: Exception) -> str:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return (
        f"torchvision {_version('torchvision')} does not work with {_torch()} ({reason}); install a matching "
        "pair from one index: pip install --upgrade torch torchvision (or uv sync)"
    )


def _torch() -> str:
    return f"torch {_version('torch')}"


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "(unknown version)"
