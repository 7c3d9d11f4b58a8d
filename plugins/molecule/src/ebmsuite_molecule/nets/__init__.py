"""Nets on strings: decoders, encoders, densities, and an energy with a head for properties."""
