"""Molecules for ebmsuite: SMILES and SELFIES as tokens, judged by chemistry."""
