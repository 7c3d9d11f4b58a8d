"""Top-down nets of the latent-space models of pictures, and the bottom-up nets that infer for them."""
