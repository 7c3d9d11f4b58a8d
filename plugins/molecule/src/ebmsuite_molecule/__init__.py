"""Molecules for ebmsuite: SMILES and SELFIES as token sequences, evaluated with RDKit."""
