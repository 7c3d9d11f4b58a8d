"""Pictures of tracks and of roads, drawn with Pillow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

__all__ = ["draw_lanes", "draw_overlay", "draw_tracks"]

PAST, FUTURE, TRUTH = (110, 110, 110), (204, 60, 40), (30, 110, 180)
SUPERSAMPLING = 4
"""Pictures are drawn this many times larger and scaled down, which smooths their lines."""


class Canvas:
    """A white picture of ``size`` pixels of the region ``low`` to ``high`` in metres; the second axis points up."""

    def __init__(self, size: tuple[int, int], low: Sequence[float], high: Sequence[float]) -> None:
        from PIL import Image, ImageDraw

        self.size, self.low = size, np.asarray(low, float)
        big = (size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING)
        extent = np.maximum(np.asarray(high, float) - self.low, 1e-6)
        self.scale = float(min(big[0] / extent[0], big[1] / extent[1]))
        self.margin = (np.asarray(big) - self.scale * extent) / 2
        self.image = Image.new("RGB", big, "white")
        self.draw = ImageDraw.Draw(self.image, "RGBA")

    def _pixels(self, xy: Tensor) -> list[tuple[float, float]]:
        at = (xy.double().numpy() - self.low) * self.scale + self.margin
        return [(float(x), self.image.height - float(y)) for x, y in at]

    def line(self, xy: Tensor, colour: tuple[int, ...], width: float = 1.5) -> None:
        """A line through positions [T, 2], ``width`` pixels wide."""
        self.draw.line(self._pixels(xy), fill=colour, width=round(width * SUPERSAMPLING), joint="curve")

    def dots(self, xy: Tensor, colour: tuple[int, ...], radius: float = 1.5) -> None:
        """Dots at positions [N, 2], ``radius`` in pixels."""
        r = radius * SUPERSAMPLING
        for x, y in self._pixels(xy):
            self.draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def ellipse(self, at: Tensor, radii: tuple[float, float], colour: tuple[int, ...]) -> None:
        """A filled ellipse at a position [2], ``radii`` in metres."""
        ((x, y),) = self._pixels(at[None])
        a, b = (r * self.scale for r in radii)
        self.draw.ellipse((x - a, y - b, x + a, y + b), fill=colour)

    def pixels(self) -> Tensor:
        """The picture at its final size, uint8 [height, width, 3]."""
        return torch.from_numpy(np.asarray(self.image.resize(self.size)).copy())


def draw_tracks(future: Tensor, past: Tensor | None, size: int = 128, metres: float = 12.0) -> Tensor:
    """One picture uint8 [N, size, size, 3] per future [N, T, 2], centred on the last observed position."""
    half, pictures = metres / 2, []
    for n, track in enumerate(future):
        canvas = Canvas((size, size), (-half, -half), (half, half))
        start = torch.zeros(1, 2, dtype=track.dtype)
        if past is not None:
            canvas.line(past[n], PAST)
            canvas.dots(past[n], PAST)
        canvas.line(torch.cat([start, track]), FUTURE)
        canvas.dots(track, FUTURE)
        pictures.append(canvas.pixels())
    return torch.stack(pictures)


def draw_overlay(
    past: Tensor, futures: Tensor, truth: Tensor | None = None, size: tuple[int, int] = (1000, 750), margin: float = 1.0
) -> Tensor:
    """All agents in one picture: past [N, S, 2] grey, k futures [N, k, T, 2] red, the true future [N, T, 2] blue.

    Positions are in metres in the coordinates of the recording. The picture is uint8 [height, width, 3].
    """
    every = torch.cat([past.reshape(-1, 2), futures.reshape(-1, 2)])
    canvas = Canvas(size, (every.amin(0) - margin).tolist(), (every.amax(0) + margin).tolist())
    for n in range(len(past)):
        for track in futures[n]:
            canvas.line(torch.cat([past[n, -1:], track]), (*FUTURE, 70), 1.0)
        if truth is not None:
            canvas.line(torch.cat([past[n, -1:], truth[n]]), TRUTH, 2.0)
        canvas.line(past[n], PAST, 2.0)
        canvas.dots(past[n, -1:], PAST, 3.0)
    return canvas.pixels()


def draw_lanes(states: Tensor, scene: Mapping[str, Tensor], size: tuple[int, int] = (480, 60)) -> Tensor:
    """One picture uint8 [N, height, width, 3] per path [N, T, S]: lane, obstacles and path, 64 m by 8 m."""
    pictures = []
    for n, path in enumerate(states):
        canvas = Canvas(size, (-4.0, -4.0), (60.0, 4.0))
        for y, colour in ((-1.75, PAST), (1.75, PAST), (0.0, (215, 215, 215))):
            canvas.line(torch.tensor([[-4.0, y], [60.0, y]]), colour, 0.7)
        for at, present in zip(scene["obstacles"][n], scene["present"][n], strict=True):
            if present:
                canvas.ellipse(at, (2.2, 0.9), (60, 60, 60))
        canvas.line(torch.cat([scene["state"][n, None, :2], path[:, :2]]), FUTURE)
        canvas.dots(path[:, :2], FUTURE, 1.2)
        pictures.append(canvas.pixels())
    return torch.stack(pictures)
