"""The weights of the Inception of published scores: where they are looked for, and how they are loaded."""

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

# what torch.load and load_state_dict raise for a file that holds something else
_UNFIT = (RuntimeError, EOFError, LookupError, TypeError, ValueError, AttributeError, pickle.UnpicklingError)

FILES = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")
"""One file under torch-fidelity's name and under pytorch-fid's; the last eight digits begin its sha256."""


def find_weights(given: str | None) -> Path:
    """The file ``given``, or one of `FILES` in ``$EBMSUITE_DATA/weights``.

    Errors: `MissingData` that says where it was looked for and what to do. Nothing is ever downloaded.
    """
    if given is not None:
        candidates = [Path(given).expanduser()]
    else:
        root = os.environ.get("EBMSUITE_DATA")
        candidates = [Path(root).expanduser() / "weights" / name for name in FILES] if root else []
    for path in candidates:
        if path.is_file():
            return path
    looked = " and ".join(map(str, candidates)) or "no folder, EBMSUITE_DATA is not set"
    raise MissingData(
        f"inception-v3 has no weights (looked for {looked}): put torch-fidelity's {FILES[0]} into the folder "
        "$EBMSUITE_DATA/weights, or name the file with the option weights"
    )


def load_inception(path: Path) -> tuple[nn.Module, str]:
    """torch-fidelity's network with the weights of ``path``, and the extractor id that they deserve.

    The module maps uint8 [B, 3, H, W] to features [B, 2048] and logits without bias [B, 1008]. The id is
    ``inception-v3`` for the file of the published scores only; other weights carry their hash.

    Errors: `DataError` for a file that holds something else.
    """
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    raw = path.read_bytes()
    try:
        state = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
        # torch-fidelity unpickles what it is given: it gets a copy of what the safe reader understood
        copy = io.BytesIO()
        torch.save(_with_counters(state), copy)
        copy.seek(0)
        with torch.random.fork_rng(devices=[]):  # the first weights are drawn, then replaced
            net: nn.Module = FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], copy)
    except _UNFIT as error:
        raise DataError(f"{path} does not hold the weights of the FID Inception: {error}") from error
    digest = hashlib.sha256(raw).hexdigest()[:8]
    return net, "inception-v3" if digest in FILES[0] else f"inception-v3-other-{digest}"


def _with_counters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Files of the first torch versions have no counters of batches; evaluation does not read them."""
    norms = [name.removesuffix("running_mean") for name in state if name.endswith("running_mean")]
    return {**{f"{norm}num_batches_tracked": torch.tensor(0) for norm in norms}, **state}
