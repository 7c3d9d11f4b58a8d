"""Errors that the user can correct. The command line shows them as one line and exits with status 2."""

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
    """An error that the user can correct. Its text names the file, row, key or plugin and says what to do."""


class RecipeError(UserError):
    """A key or value of a recipe is unknown or invalid."""


class UnknownName(UserError):
    """No enabled plugin offers the named component."""


class PluginError(UserError):
    """A plugin cannot be used."""


class DataError(UserError):
    """A file is damaged, has the wrong content or cannot be read or written."""


class MissingData(DataError):
    """A data set or a file of weights is not on this machine."""


class DiskFull(DataError, OSError):
    """A file cannot be written because the disk is full or the user's quota is used up."""

    def __init__(self, text: str) -> None:
        OSError.__init__(self, errno.ENOSPC, text)

    def __str__(self) -> str:
        return str(self.strerror)


class Stopped(Exception):
    """The run stopped early: it diverged, or a callback asked for it (exit status 1). The text says what to change."""


class Interrupted(Exception):
    """A signal ended the run after a step (exit status 130). The run is saved; the text says how to resume it."""
