"""ChemNet, the network of the Frechet ChemNet distance: trained on SMILES to predict bioactivities."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset
from ebmsuite.errors import PluginError
from ebmsuite.scores import Extractor, Features
from ebmsuite_molecule.metrics.samples import split_of, strings_codec

__all__ = ["ChemNet", "installed"]

_BATCH = 256


class ChemNet(Extractor):
    """Extract features [B, 512] of molecules (Preuer et al. 2018) with the package fcd_torch, which has the weights.

    Raises `PluginError` if the package is not installed.
    """

    id = "chemnet"

    def __init__(self) -> None:
        self._net, self._words = _net()
        self._codec: Any = None

    def prepare(self, data: Mapping[str, Dataset]) -> None:
        """Store the codec that decodes tokens."""
        self._codec = strings_codec(split_of(data, "train").codec)

    def protocol(self) -> Mapping[str, Any]:
        return {"package": "fcd_torch", "weights": "ChemNet v0.13"}

    def __call__(self, x: Tensor) -> Features:
        """Return the features of rows of tokens [B, L] that are valid molecules."""
        if self._codec is None:
            raise ValueError("prepare() comes before the first call: it tells which codec reads the tokens")
        return Features(self.of_strings(self._codec.decode(x)).to(x.device), None)

    @torch.no_grad()
    def of_strings(self, strings: Sequence[str]) -> Tensor:
        """Return the features of canonical SMILES, float32 [N, 512] on the CPU."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        net = self._net.to(device)
        found = []
        for start in range(0, len(strings), _BATCH):
            words = self._words(strings[start : start + _BATCH], canonize=False)
            rows = torch.stack([torch.from_numpy(words[i]) for i in range(len(words))])
            found.append(net(rows.transpose(1, 2).float().to(device)).cpu())
        return torch.cat(found) if found else torch.zeros(0, 512)


def installed() -> bool:
    """Return whether ChemNet is installed."""
    try:
        _net()
    except PluginError:
        return False
    return True


@functools.cache
def _net() -> tuple[Any, Any]:
    """Return the network and the class that converts strings to its input."""
    try:
        from fcd_torch import FCD
        from fcd_torch.utils import SmilesDataset
    except ImportError as error:
        raise PluginError(
            'the Frechet ChemNet distance needs the package fcd_torch: pip install "ebmsuite-molecule[fcd]"'
        ) from error
    return FCD().model, SmilesDataset
