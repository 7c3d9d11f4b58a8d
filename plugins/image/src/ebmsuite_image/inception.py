"""Find and load the weights of the Inception network that published scores use."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from ebmsuite.errors import DataError, MissingData

__all__ = ["FILES", "find_weights", "load_inception"]

# raised by torch.load and load_state_dict for a file with other contents
_UNFIT = (RuntimeError, EOFError, LookupError, TypeError, ValueError, AttributeError, pickle.UnpicklingError)

FILES = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")
"""The names of the same file in torch-fidelity and in pytorch-fid. The last eight digits begin its SHA-256."""


def find_weights(given: str | None) -> Path:
    """The file ``given``, or one of `FILES` in ``$EBMSUITE_DATA/weights``.

    Raises `MissingData`, which says where the file was searched and what to do. Nothing is downloaded.
    """
    if given is not None:
        candidates = [Path(given).expanduser()]
    else:
        root = os.environ.get("EBMSUITE_DATA")
        candidates = [Path(root).expanduser() / "weights" / name for name in FILES] if root else []
    for path in candidates:
        if path.is_file():
            return path
    looked = " and ".join(map(str, candidates)) or "no folder, because EBMSUITE_DATA is not set"
    raise MissingData(
        f"the weights of inception-v3 were not found (searched: {looked}): put torch-fidelity's {FILES[0]} into "
        "the folder $EBMSUITE_DATA/weights, or name the file with the option weights"
    )


def load_inception(path: Path) -> tuple[nn.Module, str]:
    """Return torch-fidelity's network with the weights in ``path``, and the id of the extractor.

    The module maps uint8 [B, 3, H, W] to features [B, 2048] and logits without bias [B, 1008]. The id is
    ``inception-v3`` only for the file of the published scores; for other weights it includes their hash.

    Raises `DataError` if the file contains something else.
    """
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    raw = path.read_bytes()
    try:
        state = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
        # torch-fidelity unpickles its input, so it gets a copy of the contents that the safe loader accepted
        copy = io.BytesIO()
        torch.save(_with_counters(state), copy)
        copy.seek(0)
        with torch.random.fork_rng(devices=[]):  # the random initial weights are replaced
            net: nn.Module = FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], copy)
    except _UNFIT as error:
        raise DataError(f"{path} does not contain the weights of the FID Inception: {error}") from error
    digest = hashlib.sha256(raw).hexdigest()[:8]
    return net, "inception-v3" if digest in FILES[0] else f"inception-v3-other-{digest}"


def _with_counters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add batch counters, which files from the first versions of torch lack and evaluation does not use."""
    norms = [name.removesuffix("running_mean") for name in state if name.endswith("running_mean")]
    return {**{f"{norm}num_batches_tracked": torch.tensor(0) for norm in norms}, **state}
