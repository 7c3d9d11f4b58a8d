"""Cost and quality of posterior inference through an autoregressive decoder, as functions of the number of steps.

    python benchmarks/posterior.py RUN [--n 128] [--split test] [--seed 0]

RUN is a trained run. Chains start at noise and at the proposal of the encoder. After K steps, the table gives the
quality of the latent vectors (the mean of E(z; x) = E(z) - log p(x | z) over examples, and of its term
-log p(x | z); lower is better; a chain of 100 steps is the reference), and the cost of the K steps relative to a
forward and backward pass of the decoder in training. Further numbers are the tokens per second in training, and the
samples per second of the model and of the decoder alone.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from ebmsuite import load
from ebmsuite.dataset import rows
from ebmsuite.density import Gaussian
from ebmsuite.sampling import Noise, Phase, Start


def seconds(function: Callable[[], object], rounds: int = 5) -> float:
    function()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--n", type=int, default=128)
    parser.add_argument("--split", default="test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    opts = parser.parse_args()
    if opts.threads:
        torch.set_num_threads(opts.threads)
    model = load(opts.run)
    rng = model.generator(opts.seed)
    generator, energy, phase = model.players["generator"], model.players["energy"], model.phase("posterior")
    encoder = model.players.get("encoder")
    batch = next(rows(model.data[opts.split], opts.n, opts.n)).to(model.device)
    condition, latent = (batch.x, None), generator.latent.event
    tokens = int((batch.x > 0).sum())

    def pass_for_learning() -> None:
        z = torch.zeros(len(batch), *latent.fixed, device=model.device)
        torch.autograd.grad(-generator.log_prob(batch.x, z).mean(), list(generator.parameters()))

    floor = seconds(pass_for_learning)
    facts = f"{len(batch)} {opts.split} examples of {tokens / len(batch):.1f} tokens, {torch.get_num_threads()} threads"
    print(f"{model.recipe.recipe} at step {model.step}, {facts}, seed {opts.seed}")
    print(f"one pass of the decoder in training: {floor * 1e3:.0f} ms, {tokens / floor:,.0f} tokens per second\n")
    print("| start | K | E(z; x) | -log p(x given z) | s | x decoder's pass |\n| --- | --- | --- | --- | --- | --- |")
    starts = {"noise": lambda: Noise(Gaussian(latent)).start(len(batch), rng, batch, condition).x}
    if encoder is not None:
        starts["encoder"] = lambda: encoder.sample(len(batch), rng, batch.encoder_input)
    half = int((batch.x > 0).sum(1).float().mean() / 2)
    plans = [(name, steps, batch.x) for name in starts for steps in (0, 1, 2, 5, 20, 100)]
    plans += [(f"{name}, the first {half} tokens", 2, batch.x[:, :half]) for name in starts]
    for name, steps, seen in plans:
        with torch.no_grad():
            chain = Start(starts[name.partition(",")[0]](), (seen, None))
            started = time.perf_counter()
            z = phase.refine(chain, rng, steps)
            cost = time.perf_counter() - started if steps else 0.0
            lost = -generator.log_prob(batch.x, z)
            total = energy(z) + lost
        found = f"{float(total.mean()):.2f} | {float(lost.mean()):.2f} | {cost:.3f} | {cost / floor:.1f}"
        print(f"| {name} | {steps} | {found} |", flush=True)

    prior: Phase = model.phase("prior")
    with torch.no_grad():
        z = prior.sample(opts.n, rng)
        bare = seconds(lambda: model.trainer.decode(z, rng), 3)
        whole = seconds(lambda: model.sample(opts.n, rng=rng), 3)
    print(f"\nsamples per second: {opts.n / whole:,.0f}, of the decoder alone: {opts.n / bare:,.0f} "
          f"(prior: {prior.steps} steps of {type(prior.sampler).__name__})")  # fmt: skip


if __name__ == "__main__":
    main()
