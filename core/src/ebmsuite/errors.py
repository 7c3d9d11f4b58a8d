"""Errors that the user can mend: shown as one line, exit status 2."""

from __future__ import annotations

import errno

__all__ = [
    "DataError",
    "DiskFull",
    "Interrupted",
    "MissingData",
    "PluginError",
    "RecipeError",
    "Stopped",
    "UnknownName",
    "UserError",
]


class UserError(Exception):
    """Something the user can mend; its text names the file, row, key or plugin and what to do."""


class RecipeError(UserError):
    """A recipe key or value that does not fit."""


class UnknownName(UserError):
    """A component that no enabled plugin offers."""


class PluginError(UserError):
    """A plugin that cannot be used."""


class DataError(UserError):
    """A file that is not what it should be."""


class MissingData(DataError):
    """A data set, or weights, that are not on this machine."""


class DiskFull(DataError, OSError):
    """A file that cannot be written because its disk, or the user's share of it, is full."""

    def __init__(self, text: str) -> None:
        OSError.__init__(self, errno.ENOSPC, text)

    def __str__(self) -> str:
        return str(self.strerror)


class Stopped(Exception):
    """The run ended before its last step, on purpose: what happened and what to change (exit status 1)."""


class Interrupted(Exception):
    """A signal ended the run after a step; what was learned is saved and how to go on is said (exit status 130)."""
