"""Statistics of synthesised clips beside those of the training clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ebmsuite.dataset import Dataset, first, split_of
from ebmsuite.evaluation.protocol import facts_of
from ebmsuite.model import Model
from ebmsuite.scores import Score
from ebmsuite_video.baselines import Of, baseline
from ebmsuite_video.statistics import (
    SHIFT,
    WINDOW,
    direction_lag,
    frame_difference,
    log_distance,
    radial_spectrum,
    sd_space,
    sd_time,
    temporal_spectrum,
    time_direction,
    window_distances,
)
from ebmsuite_video.synthesis import kept_chains

__all__ = ["Texture"]

AGREED = 0.5
"""Two halves of a film whose directions of time have a lower ratio make the direction unreliable."""
DRAWS = 3
"""Number of draws of each baseline in the score temporal-ratio."""
RIVALS: tuple[Of, ...] = ("lds", "shuffled")
"""The baselines of that score."""


@dataclass(frozen=True)
class Texture:
    """How synthesised clips differ from the training clips, by statistics that are stated separately:

    - ``temporal`` and ``radial``: mean |log ratio| of the power spectra over time and over spatial frequency;
    - ``temporal-ratio``: ``temporal`` divided by the lower of those of a linear dynamical system and of shuffled frames
      (the mean of `DRAWS` draws of each). Below 1 the clips are better than both;
    - ``sd-space``, ``sd-time``, ``frame-difference``: |log ratio| of the standard deviations over the pixels of a frame
      and over the frames of a pixel, and of the mean absolute difference between consecutive frames;
    - ``direction``: `time_direction` divided by that of the training clips, at the lag at which these and the other
      half of the film (the split valid, or else the two halves of the training clips) agree best. 1 is right, -1 runs
      backwards, 0 has no direction. If the two halves agree by less than `AGREED`, the protocol says
      that it is not reliable;
    - ``copy``: the smallest mean squared difference between any window of `WINDOW` frames and any window of the
      training clips, also reversed, and shifted in time and by up to `SHIFT` pixels, divided by that between
      consecutive training frames. Below 1 the model copies;
    - ``diversity``: the same between the clips themselves, at the same time and place; below 1 the chains are alike.
      It is 1 for a single clip.

    ``of`` judges the kept chains of learning ("model", at most ``n``; new chains if none are kept), or other clips:
    see `ebmsuite_video.baselines.Of`. No statistic is a score of quality on its own.
    """

    of: Of = "model"

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Mapping[str, Score]:
        dataset = split_of(data, "train")
        real = first(dataset).x.to(rng.device)
        if self.of in ("model", "fresh"):
            kept = kept_chains(model)[:n] if self.of == "model" else real[:0]
            x, source = (kept, "kept chains") if len(kept) else (model.sample(min(n, 3), rng=rng), "new chains")
        else:
            x, source = baseline(self.of, data, rng.device).sample(min(n, 3), rng=rng), self.of
        half, other = real.chunk(2, 2)
        if len(data.get("valid", ())):
            half, other = real, first(data["valid"]).x.to(rng.device)
        lag, agreement = direction_lag(half, other)
        spectrum = temporal_spectrum(real)
        rivals: list[float] = []
        for rival in RIVALS:
            made = baseline(rival, data, rng.device).sample(DRAWS, rng=rng)
            rivals.append(sum(log_distance(temporal_spectrum(one[None]), spectrum) for one in made) / DRAWS)
        consecutive = float(real.double().diff(dim=2).square().mean())
        between = [float((x[i].double() - x[j].double()).square().mean()) for i in range(len(x)) for j in range(i)]
        temporal = log_distance(temporal_spectrum(x), spectrum)
        values = {
            "temporal": temporal,
            "temporal-ratio": temporal / min(rivals),
            "radial": log_distance(radial_spectrum(x), radial_spectrum(real)),
            "sd-space": log_distance(sd_space(x), sd_space(real)),
            "sd-time": log_distance(sd_time(x), sd_time(real)),
            "frame-difference": log_distance(frame_difference(x), frame_difference(real)),
            "direction": float(time_direction(x, lag) / time_direction(real, lag)),
            "copy": float(window_distances(x, real).min()) / consecutive,
            "diversity": min(between) / consecutive if between else 1.0,
        }
        facts = facts_of(model, self.of, len(x), dataset) | {
            "source": source,
            "clip": list(dataset.event.fixed),
            "digest": dataset.digest(),
            "window": "Hann",
            "direction_lag": lag,
            "direction_agreement": round(agreement, 3),
            "direction_reliable": agreement >= AGREED,
            "direction_of_data": round(float(time_direction(real, lag)), 5),
            "copy_window": WINDOW,
            "copy_shift": SHIFT,
        }
        return {name: Score(value, protocol={"metric": name, **facts}) for name, value in values.items()}
