"""3-D shapes: voxel grids and point clouds."""
