"""Write data/zara01.csv.gz, the embedded recording, from ``trajectory/ethucy/all/crowds_zara01.txt`` in EBMSUITE_DATA.

Positions are rounded to a millimetre, below the error of the annotation.
"""

import gzip
from pathlib import Path

from ebmsuite.files import find
from ebmsuite_trajectory.tracks import read_tracks

TARGET = Path(__file__).parent.parent / "src" / "ebmsuite_trajectory" / "data" / "zara01.csv.gz"

tracks = read_tracks(find("trajectory/ethucy/all/crowds_zara01.txt"))
rows = sorted(zip(tracks.frame.tolist(), map(int, tracks.agent), *tracks.xy.T.tolist(), strict=True))
text = "frame,agent,x,y\n" + "".join(f"{frame},{agent},{x:.3f},{y:.3f}\n" for frame, agent, x, y in rows)
TARGET.write_bytes(gzip.compress(text.encode("ascii"), 9, mtime=0))
print(TARGET.name, TARGET.stat().st_size, "bytes,", len(rows), "rows")
