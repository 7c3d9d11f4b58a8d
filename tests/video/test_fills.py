"""Fills of hidden voxels: exact cases, known voxels, the order of the fills."""

from __future__ import annotations

import pytest
import torch

from ebmsuite.energy import Clamped
from ebmsuite.errors import RecipeError, UserError
from ebmsuite.sampling import Memory
from ebmsuite.space import Batch
from ebmsuite_video.fills import Fill, filled, harmonic, temporal, total_variation, tuned


def ramp(frames: int = 9, size: int = 8) -> torch.Tensor:
    """A clip that is linear in time and space."""
    t, y, x = torch.meshgrid(torch.arange(frames), torch.arange(size), torch.arange(size), indexing="ij")
    return (0.05 * t + 0.02 * y - 0.03 * x).float()[None, None]


def hole(x: torch.Tensor) -> torch.Tensor:
    """Hides a block inside the clip."""
    known = torch.ones_like(x, dtype=torch.bool)
    known[:, :, 3:6, 2:5, 3:6] = False
    return known


def test_linear_clips_are_restored_exactly() -> None:
    x = ramp()
    known = hole(x)
    assert torch.allclose(temporal(x * known, known), x, atol=1e-6)
    assert torch.allclose(harmonic(x * known, known), x, atol=1e-4)


def test_before_the_first_and_after_the_last_known_frame_the_fill_is_constant() -> None:
    x = ramp()
    known = torch.ones_like(x, dtype=torch.bool)
    known[:, :, :2], known[:, :, 7:] = False, False
    y = temporal(x * known, known)
    assert torch.equal(y[:, :, 0], x[:, :, 2])
    assert torch.equal(y[:, :, 8], x[:, :, 6])


@pytest.mark.parametrize("kind", ["temporal", "harmonic", "tv"])
def test_known_voxels_are_unchanged_and_hidden_values_are_not_read(kind: str) -> None:
    x, rng = ramp(), torch.Generator().manual_seed(0)
    known = torch.rand(x.shape, generator=rng) < 0.6
    spoiled = torch.where(known, x, 99.0)
    y, _ = filled(kind, spoiled, known, 1.0)
    assert torch.equal(y[known], x[known])
    assert torch.allclose(y, filled(kind, x * known, known, 1.0)[0], atol=1e-3) or kind == "tv"
    assert float(y.abs().max()) < 2


def test_pixels_that_are_never_seen_have_no_temporal_fill() -> None:
    x = ramp()
    known = torch.ones_like(x, dtype=torch.bool)
    known[..., 2:5, 2:5] = False
    with pytest.raises(UserError, match="9 pixels are hidden in all frames"):
        temporal(x * known, known)
    assert float((harmonic(x * known, known) - x).abs().max()) < 0.1  # the ends of the clip are free


def test_total_variation_keeps_an_edge_that_the_harmonic_fill_blurs() -> None:
    x = torch.zeros(1, 1, 5, 12, 12)
    x[..., 6:] = 1
    known = torch.ones_like(x, dtype=torch.bool)
    known[..., 4:8, 3:10] = False
    errors = [(f(x * known, known, 0.01) - x).abs()[~known].mean() for f in (harmonic, total_variation)]
    assert float(errors[1]) < 0.5 * float(errors[0])


def test_the_weight_of_time_is_chosen_on_visible_voxels() -> None:
    rng = torch.Generator().manual_seed(0)
    still = torch.rand(1, 1, 1, 10, 10, generator=rng).expand(1, 1, 8, 10, 10).contiguous()
    known = torch.rand(still.shape, generator=rng) < 0.7
    assert tuned("harmonic", still * known, known) == 30.0  # nothing moves
    moving = torch.rand(1, 1, 8, 1, 1, generator=rng).expand(1, 1, 8, 10, 10).contiguous()
    assert tuned("harmonic", moving * known, known) == 0.1  # every frame has one colour


def test_a_fill_is_computed_once_for_the_chains_of_a_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    import ebmsuite_video.fills as module

    calls: list[int] = []
    original = module.filled

    def counted(kind, values, *rest):  # type: ignore[no-untyped-def]
        calls.append(len(values))
        return original(kind, values, *rest)

    monkeypatch.setattr(module, "filled", counted)
    x = ramp()
    known = hole(x)
    batch = Batch(x * known, index=torch.tensor([0]), known=known).repeat_interleave(3)
    memory = Memory(examples=1, start=Fill("harmonic", 1.0), chains=3)
    rng = torch.Generator().manual_seed(0)
    start = memory.start(3, rng, batch, Clamped.given(batch.x, batch.known))
    assert calls == [1]
    assert torch.allclose(start.x, x.expand(3, -1, -1, -1, -1), atol=1e-4)
    memory.start(3, rng, batch, Clamped.given(batch.x, batch.known))
    assert calls == [1]  # only new chains are filled
    with pytest.raises(RecipeError, match="incomplete"):
        Fill().start(1, rng)
