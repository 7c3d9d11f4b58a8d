"""The components of the shape3d plugin: names and import strings only."""

from __future__ import annotations

from collections.abc import Mapping

from ebmsuite.hookspecs import Component, hookimpl
from ebmsuite_shape3d.papers import PAPERS

ebm_api = 1


@hookimpl
def ebm_papers() -> Mapping[str, str]:
    return PAPERS


@hookimpl
def ebm_datasets() -> list[Component]:
    at = "ebmsuite_shape3d.data."
    return [
        Component(
            "shape3d/modelnet10-voxels",
            at + "modelnet:modelnet10_voxels",
            "ModelNet10 as occupancy grids, cleaned",
            "wu2015",
        ),
    ]


@hookimpl
def ebm_codecs() -> list[Component]:
    at = "ebmsuite_shape3d.codec:"
    return [
        Component("shape3d/voxels", at + "VoxelCodec", "files of grids to occupancies and back, meshes"),
        Component("shape3d/clouds", at + "CloudCodec", "files of point clouds"),
    ]


@hookimpl
def ebm_energies() -> list[Component]:
    at = "ebmsuite_shape3d.nets:"
    return [
        Component("shape3d/voxelnet", at + "voxelnet", "3-D convolutions of a voxel grid", "xie2018voxel"),
        Component("shape3d/pointnet", at + "pointnet", "permutation-invariant net of a point cloud", "xie2021points"),
    ]


@hookimpl
def ebm_metrics() -> list[Component]:
    at = "ebmsuite_shape3d.metrics."
    return [
        Component("shape3d/recovery", at + "recovery:Recovery", "errors of hidden voxels", "xie2018voxel"),
    ]


@hookimpl
def ebm_recipes() -> list[Component]:
    at = "ebmsuite_shape3d:recipes/"
    return [
        Component(
            "shape3d/modelnet10-recovery",
            at + "modelnet10-recovery.yaml",
            "recovery of hidden voxels of ModelNet10 with a clamped energy",
            "xie2018voxel",
        ),
    ]
