"""SELFIES (Krenn et al. 2020), an optional dependency: strings in which every sequence of words is a molecule."""

from __future__ import annotations

import functools
from typing import Any

from ebmsuite.errors import PluginError
from ebmsuite_molecule.chemistry import LONGEST

__all__ = ["decode", "encode", "library"]


@functools.cache
def library() -> Any:
    """The module selfies, or `PluginError` that says how to get it."""
    try:
        import selfies
    except ImportError as error:
        raise PluginError(
            'the tokeniser "selfies" needs the package selfies: pip install "ebmsuite-molecule[selfies]"'
        ) from error
    return selfies


def encode(smiles: str) -> str:
    """The SELFIES of a SMILES; empty when it has none (a valence that SELFIES does not know, or no molecule)."""
    if len(smiles) > LONGEST:
        return ""
    try:
        return str(library().encoder(smiles))
    except (library().EncoderError, RecursionError):
        return ""


def decode(words: str) -> str:
    """The SMILES of a SELFIES; empty when a word is none."""
    try:
        return str(library().decoder(words))
    except (library().DecoderError, RecursionError):
        return ""
