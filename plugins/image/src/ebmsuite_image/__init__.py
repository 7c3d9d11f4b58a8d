"""Pictures for ebmsuite."""
