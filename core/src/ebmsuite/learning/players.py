"""The nets of a trainer, each with its optimiser, learning-rate schedule and moving average."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ebmsuite.ranks import Ranks
from ebmsuite.sampling.phase import in_mode
from ebmsuite.schedule import Schedule, value_at

__all__ = ["Optimiser", "Players"]


@dataclass(frozen=True)
class Optimiser:
    """The learning settings of one player."""

    make: Callable[[Any], torch.optim.Optimizer]
    lr: float | Schedule
    clip: float | None = None
    """Maximal norm of the gradient."""
    warm_up: int = 0
    """Number of steps over which the learning rate rises linearly from 0."""
    ema: float | None = None
    """Decay of the moving average of the weights. The first steps use (1 + k) / (10 + k) while it is smaller."""
    accumulate: int = 1
    """Number of gradients that are averaged for one step of the optimiser. The schedule of the learning rate, the
    warm-up and the moving average then count these steps."""


class Players(Mapping[str, nn.Module]):
    """Nets by name. `update` takes the gradient of each loss for its player only.

    A net without an optimiser is frozen: it does not learn, whatever the losses are. Parameters are updated in place
    and never replaced.
    """

    def __init__(
        self, nets: Mapping[str, nn.Module], optimisers: Mapping[str, Optimiser], ranks: Ranks | None = None
    ) -> None:
        self.nets, self.how, self.ranks = dict(nets), dict(optimisers), ranks or Ranks()
        self.ema: dict[str, nn.Module] = {}
        self.optimisers: dict[str, torch.optim.Optimizer] = {}
        self.waiting: dict[str, tuple[list[Tensor], int]] = {}
        """Player -> the sum of the gradients that wait for the next step of its optimiser, and their number."""
        self.reset_at = dict.fromkeys(self.how, 0)
        self.lr_factor = 1.0
        """Factor of all learning rates, which the stability guard lowers."""
        self.t = 0
        for name in self.how:
            self._begin(name)

    def __getitem__(self, name: str) -> Any:
        return self.nets[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.nets)

    def __len__(self) -> int:
        return len(self.nets)

    def _begin(self, name: str) -> None:
        self.waiting.pop(name, None)
        self.optimisers[name] = self.how[name].make(list(self.nets[name].parameters()))
        if self.how[name].ema is not None:
            self.ema[name] = copy.deepcopy(self.nets[name]).requires_grad_(False).eval()

    def in_mode(self, train: bool) -> AbstractContextManager[None]:
        """Put all nets in train or eval mode during the block."""
        return in_mode(nn.ModuleList(self.nets.values()), train)

    def reset(self, name: str) -> None:
        """Restart the optimiser, schedule and moving average of a player for a new stage of learning."""
        if name in self.how:
            self._begin(name)
            self.reset_at[name] = self.t

    def set_step(self, t: int) -> None:
        """Set the learning step to ``t``. The loop calls this before every step."""
        self.t = t

    def mean(self, value: Tensor) -> Tensor:
        """The mean over processes, for a decision that all processes must make alike."""
        return self.ranks.mean(value)

    def lr(self, name: str) -> float:
        """The learning rate of this step. The schedule counts from the last `reset`."""
        how, age = self.how[name], self._age(name)
        ramp = min(1.0, (age + 1) / how.warm_up) if how.warm_up else 1.0
        return value_at(how.lr, age) * ramp * self.lr_factor

    def _age(self, name: str) -> int:
        """Steps of the optimiser since the last `reset`, if each learning step gives one gradient."""
        return (self.t - self.reset_at[name]) // self.how[name].accumulate

    def update(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Update the players from their losses; those without an optimiser stay as they are.

        Computes all gradients, averages them over processes and over the accumulated ones, clips them, then makes all
        optimiser steps and updates the moving averages. A player that accumulates gradients waits until it has enough.
        A loss that several players share is differentiated once. Returns ``loss/NAME`` and ``gradient/NAME`` (the norm
        before clipping).
        """
        losses = {name: loss for name, loss in losses.items() if name in self.how}
        gradients: dict[str, list[Tensor]] = {}
        params = {name: [p for p in self.nets[name].parameters() if p.requires_grad] for name in losses}
        sharing: dict[int, list[str]] = {}
        for name, loss in losses.items():
            sharing.setdefault(id(loss), []).append(name)
        for number, names in enumerate(sharing.values(), 1):
            wanted = [p for name in names for p in params[name]]
            found = iter(
                torch.autograd.grad(
                    losses[names[0]], wanted, retain_graph=number < len(sharing), materialize_grads=True
                )
            )
            gradients |= {name: [next(found) for _ in params[name]] for name in names}
        logs: dict[str, Tensor] = {}
        for name, loss in losses.items():
            self.ranks.mean_(gradients[name])
            if self.how[name].accumulate > 1:
                gradients[name] = self._gathered(name, gradients[name])
            norm = torch.nn.utils.get_total_norm(gradients[name])
            clip = self.how[name].clip
            if clip is not None:
                torch._foreach_mul_(gradients[name], (clip / (norm + 1e-6)).clamp(max=1.0))
            logs[f"loss/{name}"], logs[f"gradient/{name}"] = loss.detach(), norm
        for name in losses:
            if name in self.waiting:
                continue
            for parameter, gradient in zip(params[name], gradients[name], strict=True):
                parameter.grad = gradient
            for group in self.optimisers[name].param_groups:
                group["lr"] = self.lr(name)
            self.optimisers[name].step()
            self.optimisers[name].zero_grad(set_to_none=True)
            self._average(name)
        return logs

    def _gathered(self, name: str, gradient: list[Tensor]) -> list[Tensor]:
        """The mean of this gradient and those that wait. Unless they suffice for a step, their sum waits."""
        total, count = self.waiting.pop(name, ([torch.zeros_like(g) for g in gradient], 0))
        torch._foreach_add_(total, gradient)
        count += 1
        if count < self.how[name].accumulate:
            self.waiting[name] = total, count
        return list(torch._foreach_div(total, count))

    @torch.no_grad()
    def _average(self, name: str) -> None:
        if name not in self.ema:
            return
        age = self._age(name)
        decay = min(self.how[name].ema or 0.0, (1 + age) / (10 + age))
        pairs = list(zip(self.ema[name].parameters(), self.nets[name].parameters(), strict=True))
        torch._foreach_lerp_([e for e, _ in pairs], [p for _, p in pairs], 1 - decay)
        for kept, now in zip(self.ema[name].buffers(), self.nets[name].buffers(), strict=True):
            kept.copy_(now)

    # -- state --------------------------------------------------------------------------------------------------

    def optimiser_state(self) -> dict[str, Tensor]:
        """The tensors of the optimisers, and the gradients that wait for a step, by "player.parameter.key"."""
        state: dict[str, Tensor] = {}
        for name, optimiser in self.optimisers.items():
            for number, entry in optimiser.state_dict()["state"].items():
                for key, value in entry.items():
                    if value is not None:
                        tensor = value if isinstance(value, Tensor) else torch.tensor(value)
                        state[f"{name}.{number}.{key}"] = tensor
        for name, (total, count) in self.waiting.items():
            state |= {f"{name}.{number}.waiting": gradient for number, gradient in enumerate(total)}
            state[f"{name}.0.gradients"] = torch.tensor(count)
        return state

    def restore_optimisers(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `optimiser_state` gave."""
        self.waiting = {}
        for name, optimiser in self.optimisers.items():
            params = list(self.nets[name].parameters())
            if f"{name}.0.gradients" in state:
                learned = [p for p in params if p.requires_grad]
                total = [
                    torch.empty_like(p.detach()).copy_(state[f"{name}.{i}.waiting"]) for i, p in enumerate(learned)
                ]
                self.waiting[name] = total, int(state[f"{name}.0.gradients"])
            entries: dict[int, dict[str, Tensor]] = {}
            for path, tensor in state.items():
                player, _, rest = path.rpartition(".")[0].rpartition(".")
                if player == name and path.rpartition(".")[2] not in ("waiting", "gradients"):
                    number, key = int(rest), path.rpartition(".")[2]
                    if tensor.shape == params[number].shape:  # keep the memory format of the parameter
                        tensor = torch.empty_like(params[number]).copy_(tensor)
                    entries.setdefault(number, {})[key] = tensor
            groups = optimiser.state_dict()["param_groups"]
            optimiser.load_state_dict({"state": entries, "param_groups": groups})
