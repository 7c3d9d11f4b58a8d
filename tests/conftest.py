"""Make the probe plugin of the tests visible like an installed plugin, also in sub-processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run in parallel, and small tensors are faster on one thread

import pytest
import torch

PROBES = str(Path(__file__).parent / "probes")
sys.path.insert(0, PROBES)
os.environ["PYTHONPATH"] = os.pathsep.join([PROBES, *filter(None, [os.environ.get("PYTHONPATH")])])


torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EBMSUITE_PLUGINS", "EBMSUITE_STRICT_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    # two runs that are compared must use the same number of threads, so they must not measure the best number
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
    torch.manual_seed(0)  # so that initial weights do not depend on which tests ran before
