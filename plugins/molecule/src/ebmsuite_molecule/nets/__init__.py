"""Networks for molecules: a graph encoder, and an energy with a regression head for properties."""
