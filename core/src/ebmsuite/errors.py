"""Errors that the user can correct. The command line shows them as one line and exits with status 2."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "DataError",
    "DiskFull",
    "Interrupted",
    "MissingData",
    "PluginError",
    "Problems",
    "RecipeError",
    "Stopped",
    "UnknownName",
    "UserError",
]


class UserError(Exception):
    """An error that the user can correct. Its text names the file, row, key or plugin and says what to do."""


class RecipeError(UserError):
    """A key or value of a recipe is unknown or invalid."""


class RecipeErrors(RecipeError):
    """Several errors, each of which is independent of the others."""

    def __init__(self, errors: list[UserError]) -> None:
        super().__init__(f"{len(errors)} errors: " + "; ".join(f"({i + 1}) {e}" for i, e in enumerate(errors)))
        self.errors = errors


class Problems:
    """Collects the errors of several blocks, to report all of them at once.

    ::

        problems = Problems()
        for key in keys:
            with problems.noting():
                check(key)
        problems.report()
    """

    def __init__(self) -> None:
        self.found: list[UserError] = []

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note an error of the block, unless it was noted before."""
        try:
            yield
        except UserError as error:
            known = {str(e) for e in self.found}
            self.found += [
                e for e in (error.errors if isinstance(error, RecipeErrors) else [error]) if str(e) not in known
            ]

    def report(self) -> None:
        """Raise the error that was noted; of several, raise one `RecipeError` that lists them."""
        if len(self.found) > 1:
            raise RecipeErrors(self.found)
        if self.found:
            raise self.found[0]


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
