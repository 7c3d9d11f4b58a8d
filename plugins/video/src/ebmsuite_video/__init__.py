"""Film clips for ebmsuite: dynamic textures and recovery of damaged clips."""
