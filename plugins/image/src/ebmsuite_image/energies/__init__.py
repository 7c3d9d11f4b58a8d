"""Energies of pictures, one module per net. The factories return `ebmsuite.energy.Tilted` or `JointEnergy`."""
