"""The bibliography of the plugin."""

PAPERS = {
    "xie2018voxel": "Jianwen Xie, Zilong Zheng, Ruiqi Gao, Wenguan Wang, Song-Chun Zhu, Ying Nian Wu. Learning "
    "descriptor networks for 3D shape synthesis and analysis. CVPR 2018",
    "xie2020voxel": "Jianwen Xie, Zilong Zheng, Ruiqi Gao, Wenguan Wang, Song-Chun Zhu, Ying Nian Wu. Generative "
    "VoxelNet: learning energy-based models for 3D shape synthesis and analysis. IEEE TPAMI 2020",
    "xie2021points": "Jianwen Xie, Yifei Xu, Zilong Zheng, Song-Chun Zhu, Ying Nian Wu. Generative PointNet: deep "
    "energy-based learning on unordered point sets for 3D generation, reconstruction and classification. CVPR 2021",
    "wu2015": "Zhirong Wu, Shuran Song, Aditya Khosla, Fisher Yu, Linguang Zhang, Xiaoou Tang, Jianxiong Xiao. 3D "
    "ShapeNets: a deep representation for volumetric shapes. CVPR 2015",
    "yang2019": "Guandao Yang, Xun Huang, Zekun Hao, Ming-Yu Liu, Serge Belongie, Bharath Hariharan. PointFlow: 3D "
    "point cloud generation with continuous normalizing flows. ICCV 2019",
}
"""Key -> citation."""
