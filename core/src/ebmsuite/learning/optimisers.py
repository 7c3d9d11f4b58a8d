"""Optimisers by name. The learning rate, clipping, warm-up and EMA belong to `Players`."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["adam", "adamw", "sgd"]


def adam(
    params: Any, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.0
) -> torch.optim.Optimizer:
    """Adam (Kingma & Ba, ICLR 2015)."""
    return torch.optim.Adam(params, lr=0.0, betas=betas, eps=eps, weight_decay=weight_decay)


def adamw(
    params: Any, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.01
) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (Loshchilov & Hutter, ICLR 2019)."""
    return torch.optim.AdamW(params, lr=0.0, betas=betas, eps=eps, weight_decay=weight_decay)


def sgd(params: Any, momentum: float = 0.0, weight_decay: float = 0.0) -> torch.optim.Optimizer:
    """Stochastic gradient descent: the optimiser of convergent learning (Nijkamp et al., AAAI 2020)."""
    return torch.optim.SGD(params, lr=0.0, momentum=momentum, weight_decay=weight_decay)
