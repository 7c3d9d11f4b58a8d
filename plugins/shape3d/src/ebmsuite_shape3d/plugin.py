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
        Component(
            "shape3d/modelnet10-points",
            at + "clouds:modelnet10_points",
            "points on the surfaces of the grids of ModelNet10",
            "wu2015",
        ),
        Component("shape3d/modelnet", at + "modelnet_meshes:modelnet", "ModelNet10 or 40 from its meshes", "wu2015"),
        Component("shape3d/points", at + "clouds:points", "the embedded point clouds of furniture"),
        Component("shape3d/grids", at + "clouds:grids", "voxel grids of the embedded point clouds"),
        Component("shape3d/folder", at + "folder:folder", "a folder of your meshes, point clouds or grids"),
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
        Component("shape3d/recovery", at + "hidden_voxels:HiddenVoxels", "errors of hidden voxels", "xie2018voxel"),
        Component("shape3d/clouds", at + "cloud_scores:Clouds", "two-sample comparisons of point clouds", "yang2019"),
    ]


@hookimpl
def ebm_tasks() -> list[Component]:
    at = "ebmsuite_shape3d.tasks."
    return [
        Component("shape3d/generate", at + "generate:Generate", "draw shapes: arrays, meshes, sheet and turntable"),
        Component("shape3d/recover", at + "recover:Recover", "recover the hidden voxels of your grids", "xie2018voxel"),
    ]


@hookimpl
def ebm_recipes() -> list[Component]:
    at = "ebmsuite_shape3d:recipes/"
    return [
        Component(
            "shape3d/voxels",
            at + "voxels.yaml",
            "small VoxelNet on the embedded grids, persistent chains",
            "xie2018voxel",
        ),
        Component("shape3d/clouds", at + "clouds.yaml", "small PointNet on the embedded clouds", "xie2021points"),
        Component(
            "shape3d/modelnet10-voxels",
            at + "modelnet10-voxels.yaml",
            "Generative VoxelNet of one category of ModelNet10, as published",
            "xie2020voxel",
        ),
        Component(
            "shape3d/modelnet10-recovery",
            at + "modelnet10-recovery.yaml",
            "recovery of hidden voxels of ModelNet10 with a clamped energy",
            "xie2018voxel",
        ),
        Component(
            "shape3d/modelnet10-filling",
            at + "modelnet10-filling.yaml",
            "recovery of hidden voxels by a network of equal size without an energy, a baseline",
        ),
    ]


@hookimpl
def ebm_cases() -> list[Component]:
    at = "ebmsuite_shape3d.cases:CASES."
    categories = ("bathtub", "chair", "sofa", "toilet")
    halves = {"side": "one side", "depth": "front or back", "height": "top or bottom"}
    return [
        Component(
            "shape3d/recovery-furniture",
            f"{at}recovery-furniture",
            "embedded furniture: error of hidden voxels",
            "xie2018voxel",
        ),
        *(
            Component(f"shape3d/recovery-{c}", f"{at}recovery-{c}", f"{c}: error of hidden voxels", "xie2018voxel")
            for c in (*categories, "all")
        ),
        *(
            Component(
                f"shape3d/half-{axis}-{c}", f"{at}half-{axis}-{c}", f"{c}: IoU with {what} hidden", "xie2018voxel"
            )
            for axis, what in halves.items()
            for c in categories
        ),
        *(
            Component(f"shape3d/chairs-{score}", f"{at}chairs-{score}", f"clouds of chairs: {what}", "xie2021points")
            for score, what in {
                "1-nna": "1-nearest-neighbour accuracy",
                "mmd": "minimum matching distance",
                "coverage": "coverage",
                "jsd": "Jensen-Shannon divergence",
            }.items()
        ),
    ]
