"""Energies on pictures, one file a net. Every factory returns `ebmsuite.energy.Tilted`."""
