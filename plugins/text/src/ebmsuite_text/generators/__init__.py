"""Decoders of sentences beyond those of core (`ebmsuite.nets.sequences`)."""
