"""The probe plugin of the tests is found as an installed one would be, here and in sub-processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side, and small tensors are faster on one thread

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
    # runs that are compared with each other must not measure, each for itself, how many threads pay
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
    torch.manual_seed(0)  # the first weights of a net do not depend on which tests ran before
