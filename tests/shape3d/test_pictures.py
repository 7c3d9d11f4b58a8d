"""Pictures of shapes."""

import torch

from ebmsuite_shape3d.codec import CloudCodec, VoxelCodec


def test_a_near_voxel_hides_a_far_one_and_empty_grids_are_white():
    codec = VoxelCodec(size=6)
    grids = torch.zeros(2, 6, 6, 6)
    grids[0, 2:4, 2:4, 2:4] = 1
    pictures = codec.show(codec.events(grids))
    assert pictures.shape == (2, 96, 96, 3)
    assert (pictures[1] == 255).all()
    assert 0 < int((pictures[0] < 255).any(-1).sum()) < 96 * 96 / 4


def test_up_is_up():
    codec, low, high = CloudCodec(points=4), torch.zeros(1, 4, 3), torch.zeros(1, 4, 3)
    low[..., 2], high[..., 2] = -0.8, 0.8
    rows = [torch.nonzero((codec.show(x)[0] < 255).any(-1))[:, 0].float().mean() for x in (high, low)]
    assert rows[0] < rows[1]


def test_turntables_turn():
    codec = CloudCodec(points=4)
    frames = codec.frames(torch.tensor([[[1.0, 0, 0]] * 4]))
    assert frames.shape == (1, 24, 96, 96, 3)
    assert not torch.equal(frames[:, 0], frames[:, 6])


def test_states_of_chains_are_drawn():
    wild = torch.full((1, 1, 6, 6, 6), torch.nan)
    assert VoxelCodec(size=6).show(wild).shape == (1, 96, 96, 3)
    assert CloudCodec(points=2).show(torch.full((1, 2, 3), torch.inf)).shape == (1, 96, 96, 3)
