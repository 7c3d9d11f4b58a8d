"""Networks for rows of tokens (`ebmsuite.tokens`): decoders p(x | z) and encoders q(z | x)."""
