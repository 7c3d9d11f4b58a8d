"""Makes ``data/sweethome3d.npz``: the CC0 clouds of sweethome3d_points2048.npz with 512 points as int8, z up.

python tools/make_sweethome3d.py sweethome3d_points2048.npz
"""

import sys
from pathlib import Path

import numpy as np

POINTS = 512

with np.load(sys.argv[1], allow_pickle=False) as source:
    free = source["library"] == "BlendSwap-CC-0"
    clouds, y, names = source["points"][free].astype(np.float32), source["y"][free], source["class_names"]
    models = source["model_name"][free]
rng = np.random.default_rng(0)
chosen = np.stack([cloud[rng.permutation(len(cloud))[:POINTS]] for cloud in clouds])
upright = np.stack([chosen[..., 0], -chosen[..., 2], chosen[..., 1]], -1)  # y up to z up, right-handed
packed = (upright.clip(-1, 1) * 127).round().astype(np.int8)
out = Path(__file__).parents[1] / "src" / "ebmsuite_shape3d" / "data" / "sweethome3d.npz"
np.savez_compressed(out, points=packed, labels=y.astype(np.uint8), class_names=names, models=models)
print(f"{out}: {len(packed)} clouds, {out.stat().st_size:,} bytes")
