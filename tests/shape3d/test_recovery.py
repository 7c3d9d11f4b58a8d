"""Recovery: the scores, and the baselines that learn nothing."""

import numpy as np
import pytest
import torch

from ebmsuite_shape3d import votes
from ebmsuite_shape3d.metrics.hidden_voxels import recovery_scores


def test_scores_count_hidden_voxels_only():
    truth, made = torch.zeros(2, 2, 2, 2), torch.zeros(2, 2, 2, 2)
    truth[0, 0] = 1
    made[0, :, 0] = 1
    known = torch.zeros(2, 2, 2, 2, dtype=torch.bool)
    known[0, 1, 0, 0] = True
    wrong, hidden, iou = recovery_scores(made, truth, known)
    assert wrong.tolist() == [3, 0]
    assert hidden.tolist() == [7, 8]
    assert iou.tolist() == [pytest.approx(2 / 5), 1]


def test_votes_of_a_uniform_grid_are_exact():
    rng = np.random.default_rng(0)
    known = rng.random((2, 8, 8, 8)) < 0.3
    for vote in (votes.box_vote, votes.gaussian_vote):
        made = vote(known.astype(np.float32), known)
        assert np.allclose(made[made > 0], 1, atol=1e-5)


def test_the_box_vote_is_the_mean_of_the_visible_neighbours():
    rng = np.random.default_rng(0)
    solid, known = (rng.random((1, 6, 6, 6)) < 0.5).astype(np.float32), rng.random((1, 6, 6, 6)) < 0.5
    here = (0, slice(1, 4), slice(2, 5), slice(0, 3))
    made = votes.box_vote(solid * known, known)
    assert made[0, 2, 3, 1] == pytest.approx(solid[here][known[here]].mean(), abs=1e-5)


def test_the_mirror_image_fills_what_it_sees():
    rng = np.random.default_rng(0)
    half = rng.random((1, 3, 6, 6)) < 0.5
    solid = np.concatenate([half, half[:, ::-1]], 1).astype(np.float32)
    known = np.zeros(solid.shape, bool)
    known[:, :3] = True
    made = votes.mirrored_vote(solid * known, known, axis=0, sd=0.2)
    assert np.array_equal(made > 0.5, solid > 0.5)
    assert votes.mirror_axis(solid) == 0
    assert votes.mirror_axis(solid.transpose(0, 2, 1, 3)) == 1


def test_the_nearest_shape_agrees_at_the_visible_voxels():
    rng = np.random.default_rng(0)
    shapes = (rng.random((20, 4, 4, 4)) < 0.5).astype(np.float32)
    known = rng.random((20, 4, 4, 4)) < 0.5
    assert np.array_equal(votes.nearest_shapes(shapes * known, known, shapes), shapes)
    mean = votes.nearest_shapes(shapes[:1] * 0, known[:1] * False, shapes, 20)
    assert np.allclose(mean[0], shapes.mean(0), atol=1e-6)
