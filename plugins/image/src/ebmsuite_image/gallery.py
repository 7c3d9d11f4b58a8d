"""One picture of an evaluation of several methods: one row of samples per method."""

from __future__ import annotations

from pathlib import Path

import torch

from ebmsuite.model import load
from ebmsuite.pictures.events import draw
from ebmsuite.pictures.picture_files import write_png
from ebmsuite.pictures.sheets import captioned, sheet
from ebmsuite.scores import Suite
from ebmsuite_image.cases import STARTS

__all__ = ["gallery"]

SAMPLES = 24


def gallery(suite: Suite, file: Path) -> Path | None:
    """Draw samples of the first run of every row of ``suite`` to ``file``, best first; None if no row has a run.

    The line above a row of samples has the method (the recipe without "image/digits-"), its score and, if known, that
    of the start of its chains. The samples are the first that the model draws with seed 0, not chosen.
    """
    rows = [row for row in suite.rows if row.runs]
    if not rows:
        return None
    strips = []
    for row in sorted(rows, key=lambda row: row.mean if row.better == "lower" else -row.mean):
        model = load(row.runs[0])
        x = model.sample(SAMPLES, seed=0)
        strip = torch.from_numpy(sheet(draw(model.codec, x), SAMPLES))
        name = row.recipe.removeprefix("image/").removeprefix("digits-")
        caption = f"{name}: {row.metric.partition('[')[0]} {row.mean:.3g}"
        if STARTS in row.baselines:
            caption += f", {STARTS} {row.baselines[STARTS]:.3g}"
        strips.append(captioned(strip[None], [caption], above=True)[0])
    file.parent.mkdir(parents=True, exist_ok=True)
    write_png(torch.cat(strips).numpy(), file)
    return file
