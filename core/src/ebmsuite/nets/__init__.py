"""Nets and energies that belong to no domain: MLPs, patches, grids, filters, flows."""
