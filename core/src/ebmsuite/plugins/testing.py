"""Tools for the tests of a plugin. This module needs pytest.

::

    from ebmsuite.plugins.testing import assert_conforms, entry_point, isolated_plugins  # the last is a pytest fixture

    def test_conforms():
        assert_conforms("tabular")

    def test_my_names(isolated_plugins):
        plugins = isolated_plugins(entry_point("tabular", "ebmsuite_tabular.plugin"))
        assert plugins.load("tabular")

``ebm plugins check tabular`` runs the conformance checks from the command line.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint

import pytest
import torch

from ebmsuite.plugins.conformance import Outcome, check_plugin, interrupted_run, same_end, watched_by
from ebmsuite.plugins.discovery import Plugins

__all__ = [
    "Outcome",
    "assert_conforms",
    "check_plugin",
    "entry_point",
    "interrupted_run",
    "isolated_plugins",
    "rng",
    "same_end",
    "watched_by",
]


def rng(seed: int = 0) -> torch.Generator:
    """A seeded random generator on the CPU, for the code under test."""
    return torch.Generator().manual_seed(seed)


def assert_conforms(name: str, fast: bool = False) -> None:
    """Assert that no check of `check_plugin` fails; the message lists those that do."""
    failed = [f"{o.check}: {o.detail}" for o in check_plugin(name, fast) if o.state == "failed"]
    assert not failed, f"plugin {name} does not conform:\n" + "\n".join(failed)


class _Distribution:
    def __init__(self, name: str) -> None:
        self.name, self.version = name, "1.0"


def entry_point(name: str, target: str, distribution: str = "a-distribution") -> EntryPoint:
    """An entry point as an installed ``distribution`` would have it."""
    made = EntryPoint(name, target, "ebmsuite")
    vars(made)["dist"] = _Distribution(distribution)
    return made


@pytest.fixture
def isolated_plugins() -> Callable[..., Plugins]:
    """A fixture: a function that makes a `Plugins` with the core plugin and the given entry points only."""

    def make(*found: EntryPoint, select: str = "") -> Plugins:
        core = entry_point("core", "ebmsuite.builtin.plugin", "ebmsuite")
        return Plugins([core, *found], select=select)

    return make
