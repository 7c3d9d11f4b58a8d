"""Distances of point clouds: exact cases, and an oracle."""

import itertools
import math

import pytest
import torch

from ebmsuite_shape3d.distances import chamfer, earth_mover, jensen_shannon
from ebmsuite_shape3d.metrics.cloud_scores import rescaled


def test_equal_clouds_in_another_order_have_distance_zero():
    x = torch.rand(3, 20, 3)
    shuffled = x[:, torch.randperm(20)]
    assert chamfer(x, shuffled).diagonal().abs().max() == 0
    assert earth_mover(x, shuffled).diagonal().abs().max() == 0
    assert jensen_shannon(x, shuffled) == 0


def test_a_shifted_cloud():
    x = torch.tensor([[[0.0, 0, 0], [1, 0, 0]]])
    far = x + torch.tensor([0.0, 0.25, 0])
    assert chamfer(x, far).item() == pytest.approx(2 * 0.25**2)
    assert earth_mover(x, far).item() == pytest.approx(0.25)


def test_chamfer_is_that_of_all_pairs():
    a, b = torch.rand(3, 30, 3), torch.rand(2, 40, 3)
    squares = (a[:, None, :, None] - b[None, :, None]).square().sum(-1)
    expected = squares.amin(3).mean(2) + squares.amin(2).mean(2)
    torch.testing.assert_close(chamfer(a, b), expected.double(), rtol=1e-5, atol=1e-7)


def test_the_earth_mover_is_the_best_of_all_assignments():
    a, b = torch.rand(1, 5, 3), torch.rand(1, 5, 3)
    best = min(
        sum((a[0, i] - b[0, j]).norm().item() for i, j in enumerate(order)) / 5
        for order in itertools.permutations(range(5))
    )
    assert earth_mover(a, b).item() == pytest.approx(best, rel=1e-6)


def test_disjoint_clouds_have_the_largest_divergence():
    assert jensen_shannon(torch.full((1, 4, 3), -0.9), torch.full((1, 4, 3), 0.9)) == pytest.approx(math.log(2))


def test_rescaled_clouds_have_the_spread_of_the_references():
    wide, reference = torch.randn(4, 50, 3) * 5, torch.randn(4, 50, 3) * torch.tensor([1.0, 2, 3])
    sd = rescaled(wide, reference).reshape(-1, 3).std(0)
    torch.testing.assert_close(sd, reference.reshape(-1, 3).std(0))
