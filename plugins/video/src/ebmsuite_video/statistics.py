"""Statistics of clips [N, C, T, H, W]: spectra, spreads, the direction of time, and distances between windows."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

__all__ = [
    "direction_lag",
    "frame_difference",
    "log_distance",
    "radial_spectrum",
    "sd_space",
    "sd_time",
    "temporal_spectrum",
    "time_direction",
    "window_distances",
]

WINDOW = 8
"""Number of frames of the windows that `window_distances` compares."""
SHIFT = 2
"""Number of pixels by which it shifts windows along height and width."""


def temporal_spectrum(x: Tensor) -> Tensor:
    """Mean power spectrum over time of the pixels, [T / 2], without the constant; frames are weighted (Hann)."""
    x = x.double() - x.double().mean(2, keepdim=True)
    window = torch.hann_window(x.shape[2], periodic=False, dtype=x.dtype, device=x.device).view(1, 1, -1, 1, 1)
    power: Tensor = torch.fft.rfft(x * window, dim=2).abs().square().mean((0, 1, 3, 4))
    return power[1:]


def radial_spectrum(x: Tensor) -> Tensor:
    """Mean power spectrum of the frames by spatial frequency, rounded to cycles per frame, without the constant."""
    x = x.double() - x.double().mean((3, 4), keepdim=True)
    height, width = x.shape[3:]
    rows, columns = (torch.hann_window(n, periodic=False, dtype=x.dtype, device=x.device) for n in (height, width))
    window = torch.outer(rows, columns)
    power = torch.fft.fft2(x * window).abs().square().mean((0, 1, 2))
    side = min(height, width)
    fy, fx = (torch.fft.fftfreq(n, dtype=x.dtype, device=x.device) * side for n in (height, width))
    radius = torch.hypot(fy[:, None], fx[None]).round().long()
    sums = torch.zeros(int(radius.max()) + 1, dtype=x.dtype, device=x.device)
    counts = sums.clone().index_add_(0, radius.flatten(), torch.ones_like(power).flatten())
    sums = sums.index_add_(0, radius.flatten(), power.flatten()) / counts.clamp(min=1)
    return sums[1 : side // 2 + 1]


def log_distance(a: Tensor, b: Tensor) -> float:
    """Mean |log a - log b|: 0.1 is a difference of 10 %."""
    tiny = torch.finfo(torch.float64).tiny
    return float((a.double().clamp(min=tiny).log() - b.double().clamp(min=tiny).log()).abs().mean())


def sd_space(x: Tensor) -> Tensor:
    """Standard deviation over the pixels of a frame, averaged over frames and channels, 0-d."""
    return x.double().std((3, 4), correction=0).mean()


def sd_time(x: Tensor) -> Tensor:
    """Standard deviation over the frames of a pixel, averaged over pixels and channels, 0-d."""
    return x.double().std(2, correction=0).mean()


def frame_difference(x: Tensor) -> Tensor:
    """Mean absolute difference between consecutive frames, 0-d."""
    return x.double().diff(dim=2).abs().mean()


def time_direction(x: Tensor, lag: int) -> Tensor:
    """E[x_t^2 x_t+k - x_t x_t+k^2] of standardised pixels, 0-d: it changes its sign when a film runs backwards.

    The mean over time of each pixel is subtracted, and one standard deviation divides all: a texture may stand still
    in places. Without the mean, the ends of a short clip would dominate.
    """
    x = x.double() - x.double().mean(2, keepdim=True)
    x = x / x.square().mean().sqrt().clamp(min=1e-12)
    now, later = x[:, :, :-lag], x[:, :, lag:]
    return (now.square() * later - now * later.square()).mean()


def direction_lag(a: Tensor, b: Tensor, most: int = 8) -> tuple[int, float]:
    """The lag k from 1 to ``most`` at which two parts of a film agree best on `time_direction`, and their agreement.

    The best lag has the largest smaller absolute value of the two; the first wins. The agreement is the smaller value
    divided by the larger one: 1 if they are equal, 0 or below if their signs differ at every lag.
    """
    best, chosen, agreement = 0.0, 1, 0.0
    for lag in range(1, max(1, min(most, a.shape[2] - 1, b.shape[2] - 1)) + 1):
        low, high = sorted((float(time_direction(part, lag)) for part in (a, b)), key=abs)
        if low * high > 0 and abs(low) > best:
            best, chosen, agreement = abs(low), lag, low / high
    return chosen, agreement


def window_distances(a: Tensor, b: Tensor, window: int = WINDOW, shift: int = SHIFT) -> Tensor:
    """Smallest mean squared difference [N, M] between windows of each clip of a [N, ...] and each of b [M, ...].

    All windows of ``window`` frames are compared, at all shifts in time, and at up to ``shift`` pixels along height and
    width, where the frames overlap; those of b also in reverse.
    """
    frames, (height, width) = min(window, a.shape[2], b.shape[2]), a.shape[3:]
    reach = min(shift, (min(height, width) - 1) // 2)
    found = torch.full((len(a), len(b)), torch.inf, dtype=torch.float64, device=a.device)
    for down, right in product(range(-reach, reach + 1), repeat=2):
        moved = []
        for x, way in ((a, 1), (b, -1)):
            top, left = max(0, way * down), max(0, way * right)
            part = x[..., top : top + height - abs(down), left : left + width - abs(right)]
            moved.append(part.double().transpose(1, 2).flatten(2))  # [N, T, D]
        for i, x in enumerate(moved[0]):
            for j, y in enumerate(moved[1]):
                distance = torch.cdist(x, y).square() / x.shape[1]  # between frames, [T, T']
                for each in (distance, distance.flip(1)):
                    found[i, j] = torch.minimum(found[i, j], _along_diagonals(each, frames).min())
    return found


def _along_diagonals(distance: Tensor, window: int) -> Tensor:
    """Mean of ``window`` successive entries along every diagonal of [T, T']: [T - window + 1, T' - window + 1]."""
    height, width = (n - window + 1 for n in distance.shape)
    return torch.stack([distance[s : s + height, s : s + width] for s in range(window)]).mean(0)
