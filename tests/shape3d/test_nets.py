"""The energies: invariances, and the published sizes."""

import pytest
import torch

from ebmsuite.errors import RecipeError
from ebmsuite.space import Space
from ebmsuite_shape3d.nets import pointnet, voxelnet


def cloud_energy(**settings):
    torch.manual_seed(0)
    return pointnet(Space((64, 3), (-1, 1)), local=(16, 16, 32), pooled=(16,), **settings)


@pytest.mark.parametrize("norm", [True, False])
def test_a_cloud_has_the_same_energy_in_any_order(norm):
    energy, x = cloud_energy(norm=norm), torch.randn(5, 64, 3)
    shuffled = torch.stack([cloud[torch.randperm(64)] for cloud in x])
    torch.testing.assert_close(energy(x), energy(shuffled), rtol=1e-5, atol=1e-4)


def test_every_point_twice_doubles_the_energy():
    energy, x = cloud_energy(norm=False), torch.randn(5, 64, 3)
    torch.testing.assert_close(energy(torch.cat([x, x], 1)), 2 * energy(x), rtol=1e-5, atol=1e-4)


def test_a_cloud_does_not_depend_on_the_others_of_its_batch():
    energy, x = cloud_energy(), torch.randn(5, 64, 3)
    torch.testing.assert_close(energy(x)[2:3], energy(x[2:3]), rtol=1e-5, atol=1e-4)


def test_the_published_voxelnet_has_its_published_size():
    energy = voxelnet(Space((1, 32, 32, 32)))
    shapes = [tuple(p.shape) for p in energy.net.parameters()]
    assert shapes == [(200, 1, 16, 16, 16), (200,), (100, 200, 6, 6, 6), (100,), (1, 21600), (1,)]
    assert abs(float(energy.net.convs[1].weight.detach().std()) - 0.001) < 1e-5


def test_padding_is_that_of_tensorflow():
    energy = voxelnet(Space((1, 11, 11, 11)), widths=(2,), kernels=(6,), strides=(2,))
    assert energy.net.pads == [(2, 3)]
    assert energy(torch.zeros(3, 1, 11, 11, 11)).shape == (3,)


@pytest.mark.parametrize(
    ("build", "shape"),
    [(voxelnet, (3, 8, 8, 8)), (voxelnet, (1, 8, 8, 9)), (pointnet, (64, 2)), (pointnet, (1, 64, 3))],
)
def test_other_events_are_refused(build, shape):
    with pytest.raises(RecipeError, match=r"events must be"):
        build(Space(shape))
