"""FRAME (filters, random field, and maximum entropy): fixed filters and learned potentials, on one to three axes."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from ebmsuite.energy import Energy
from ebmsuite.errors import RecipeError
from ebmsuite.nets.mlp import reference
from ebmsuite.space import Space
from ebmsuite.tree import Tree

__all__ = ["Frame", "gabor_bank"]

SMOOTH = 0.05
"""|r| is smoothed to sqrt(r^2 + SMOOTH^2), because Langevin steps oscillate at the kink of |r|."""


class Frame(Energy):
    """E(x) = E_0(x) - sum_k sum_p lambda_k h(<x, B_kp>) (Zhu, Wu, Mumford, IJCV 1998).

    B_kp is filter k at position p. lambda is learned; maximum likelihood makes the mean of sum_p h(<x, B_kp>) under the
    model equal to that of the data. With ``potential`` "abs", h is |r| and lambda is a number. With "histogram", h is a
    soft histogram of ``bins`` bins over [-reach, reach] and lambda has one number per bin, so any potential can be
    learned. With ``inhomogeneous`` there is one lambda per position, for objects (Xie et al., CVPR 2014); otherwise
    all positions share lambda, for textures. The filters are a single sample, and cosine and sine Gabor pairs with
    unit norm and zero mean, at ``scales`` (wavelengths in samples) in ``orientations`` directions. The same filters
    apply to every channel. Events are [channels, *positions].
    """

    filters: Tensor

    def __init__(
        self,
        event: Space,
        scales: tuple[float, ...] = (4.0, 8.0, 16.0),
        orientations: int = 6,
        potential: Literal["abs", "histogram"] = "abs",
        bins: int = 16,
        reach: float = 4.0,
        inhomogeneous: bool = False,
        border: Literal["circular", "zeros"] = "circular",
        reference_sd: float = 1.0,
    ) -> None:
        super().__init__()
        self.channels, *positions = event.fixed
        if not 1 <= len(positions) <= 3:
            raise RecipeError(f"frame: events must be [channels, 1 to 3 axes of positions], got {list(event.fixed)}")
        if bins < 3:
            raise RecipeError(f"frame: a histogram needs at least 3 bins, got {bins}")
        self.positions, self.border, self.potential, self.reach = tuple(positions), border, potential, reach
        bank = gabor_bank(len(positions), scales, orientations)
        longest = min(positions)
        if bank.shape[-1] > longest:
            raise RecipeError(f"frame: scales up to {max(scales):g} need {bank.shape[-1]} samples, there are {longest}")
        self.register_buffer("filters", bank, persistent=False)
        per = (bins,) if potential == "histogram" else ()
        where = self.positions if inhomogeneous else (1,) * len(positions)
        self.weights = nn.Parameter(torch.zeros(self.channels * len(bank), *per, *where))
        self.reference = reference(event, reference_sd)

    def responses(self, x: Tensor) -> Tensor:
        """<x, B_kp>: [B, channels * K, *positions]."""
        x = x.flatten(0, 1)[:, None]
        half = self.filters.shape[-1] // 2
        mode = "circular" if self.border == "circular" else "constant"
        x = nn.functional.pad(x, (half, half) * len(self.positions), mode=mode)
        convolve = (nn.functional.conv1d, nn.functional.conv2d, nn.functional.conv3d)[len(self.positions) - 1]
        r = convolve(x, self.filters[:, None])
        return r.reshape(-1, self.channels * len(self.filters), *self.positions)

    def features(self, x: Tensor) -> Tensor:
        """h of the responses: [B, channels * K, *positions], for histograms [B, channels * K, bins, *positions]."""
        r = self.responses(x)
        if self.potential == "abs":
            return (r.square() + SMOOTH**2).sqrt()
        count = self.weights.shape[1]
        width = 2 * self.reach / (count - 1)
        centres = torch.linspace(-self.reach, self.reach, count, device=x.device, dtype=x.dtype)
        u = (r.clamp(-self.reach, self.reach)[:, :, None] - centres.view(-1, *[1] * len(self.positions))).abs() / width
        # quadratic B-splines sum to 1 between the outermost centres and have continuous slopes
        return torch.where(u < 0.5, 0.75 - u.square(), (1.5 - u).clamp(min=0).square() / 2)

    def statistics(self, x: Tensor) -> Tensor:
        """The statistics that the model matches, one per weight, [B, ...]: means over positions that share a weight."""
        h = self.features(x)
        axes = [i for i, n in enumerate(self.weights.shape, 1) if n == 1 and h.shape[i] != 1]
        return h.mean(axes) if axes else h

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        f = (self.weights * self.features(x)).flatten(1).sum(1)
        energy: Tensor = self.reference(x) - f
        return energy


def gabor_bank(axes: int, scales: tuple[float, ...], orientations: int) -> Tensor:
    """Filters [K, n, ...]: a single sample, and per wavelength and direction a cosine and a sine under a Gaussian.

    The sd of the Gaussian is 0.4 wavelengths. All filters have norm 1, and all but the first have zero mean. One axis
    has one direction; on three axes, ``orientations`` directions are spread over the half sphere.
    """
    if not scales or min(scales) < 2:
        raise RecipeError(f"frame: scales must be wavelengths of at least 2 samples, got {list(scales)}")
    n = 2 * math.ceil(max(scales)) + 1
    line = torch.arange(n, dtype=torch.float64) - n // 2
    grid = torch.stack(torch.meshgrid(*[line] * axes, indexing="ij"))
    single = (grid == 0).all(0).double()
    bank = [single]
    for scale in scales:
        window = torch.exp(-grid.square().sum(0) / (2 * (0.4 * scale) ** 2))
        for direction in _directions(axes, orientations):
            phase = 2 * math.pi / scale * torch.einsum("a,a...->...", direction, grid)
            for wave in (phase.cos(), phase.sin()):
                centred = window * (wave - (window * wave).sum() / window.sum())
                bank.append(centred / centred.norm())
    return torch.stack(bank).float()


def _directions(axes: int, count: int) -> list[Tensor]:
    if axes == 1:
        return [torch.ones(1, dtype=torch.float64)]
    if count < 1:
        raise RecipeError(f"frame: at least one orientation is needed, got {count}")
    if axes == 2:
        angles = [math.pi * i / count for i in range(count)]
        return [torch.tensor([math.sin(a), math.cos(a)], dtype=torch.float64) for a in angles]
    golden = math.pi * (3 - 5**0.5)  # a spiral on the half sphere
    heights = [(i + 0.5) / count for i in range(count)]
    return [
        torch.tensor([h, (1 - h * h) ** 0.5 * math.cos(golden * i), (1 - h * h) ** 0.5 * math.sin(golden * i)]).double()
        for i, h in enumerate(heights)
    ]
