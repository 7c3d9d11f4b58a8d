"""Random numbers from seeds: which they are, and that they are uniform and independent between seeds and salts."""

from __future__ import annotations

import pytest
import torch

from ebmsuite.seeded import seeded_uniform

MASK = (1 << 64) - 1


def mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def truth(seed: int, n: int, salt: int = 0) -> list[float]:
    """The same numbers by Python's integers."""
    step = 0x9E3779B97F4A7C15
    start = mix((mix(seed & MASK) + mix((salt + step) & MASK)) & MASK)
    return [(mix((start + step * j) & MASK) >> 40) / 2**24 for j in range(1, n + 1)]


def test_the_finaliser_is_that_of_splitmix64() -> None:
    """The first outputs of the generator from state 1234567, which other implementations state."""
    step = 0x9E3779B97F4A7C15
    outputs = [mix((1234567 + step * j) & MASK) for j in (1, 2, 3)]
    assert outputs == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize("seed", [0, 1, 2, 12345, (1 << 62) + 7, (1 << 63) - 1, -1, -(1 << 63)])
@pytest.mark.parametrize("salt", [0, 3])
def test_each_row_is_a_function_of_its_seed(seed: int, salt: int) -> None:
    x = seeded_uniform(torch.tensor([5, seed]), (2, 3), salt)
    assert x.dtype == torch.float32
    assert x.shape == (2, 2, 3)
    assert x[1].flatten().tolist() == truth(seed, 6, salt)
    assert torch.equal(seeded_uniform(torch.tensor([seed]), (2, 3), salt)[0], x[1])  # not of the other rows
    assert torch.equal(seeded_uniform(torch.tensor([seed]), (4,), salt)[0], x[1].flatten()[:4])  # nor of their number


def test_shapes() -> None:
    seeds = torch.arange(4)
    assert seeded_uniform(seeds).shape == (4,)
    assert torch.equal(seeded_uniform(seeds), seeded_uniform(seeds, (1,))[:, 0])
    assert seeded_uniform(seeds[:0], (3,)).shape == (0, 3)
    assert seeded_uniform(seeds, (0,)).shape == (4, 0)


STREAMS = {
    "neighbours": torch.arange(20_000),
    "multiples": torch.arange(20_000) * 0xC2B2AE3D,  # seeds of the examples of an epoch
    "negative": -torch.arange(20_000) - 1,
    "high": torch.arange(20_000) << 40,
}


@pytest.mark.parametrize("name", STREAMS)
def test_numbers_are_uniform_and_independent_between_seeds(name: str) -> None:
    x = seeded_uniform(STREAMS[name], (8,)).double()
    n = len(x)
    assert float(x.min()) >= 0
    assert float(x.max()) < 1
    for column in x.T:  # each number on its own over all seeds: chi-squared of 100 cells, sd of it 14
        counts = torch.histc(column.float(), 100, 0, 1).double()
        assert float(((counts - n / 100).square() / (n / 100)).sum()) < 99 + 5 * 14.1
    centred = (x - 0.5) * 12**0.5
    bound = 5 / n**0.5
    between = centred.T @ centred / n - torch.eye(8, dtype=torch.float64)
    assert float(between.abs().max()) < 2 * bound  # variances of squares are larger
    for lag in (1, 2, 3, 128):  # a seed and its neighbours, all pairs of numbers
        assert float((centred[lag:].T @ centred[:-lag] / (n - lag)).abs().max()) < bound
    bits = (x[:, 0] * 2**24).long()
    for bit in range(24):  # every bit is a fair coin, and independent of the neighbour's
        coin = ((bits >> bit) & 1).double() * 2 - 1
        assert abs(float(coin.mean())) < bound
        assert abs(float((coin[1:] * coin[:-1]).mean())) < bound


def test_salts_give_independent_numbers() -> None:
    seeds = torch.arange(20_000)
    a, b = ((seeded_uniform(seeds, (4,), salt).double() - 0.5) * 12**0.5 for salt in (0, 1))
    assert float((a.T @ b / len(a)).abs().max()) < 5 / len(a) ** 0.5
    moved = seeded_uniform(seeds + 1, (4,), 0)  # the next salt is not the next seed
    assert not torch.equal(moved, seeded_uniform(seeds, (4,), 1))
