"""Keyed randomness: every draw is a pure function of (seed, name, episode, block).

A stream of numbers shared by everything would tie each draw to every draw before it. Here each named draw has a
Philox key of its own, so that adding a term, stepping with another number of rows or resetting one row leaves all
other draws as they were, and an episode can be reproduced from its seed and number alone.

Philox: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_SEED = 2**63 - 1


@functools.lru_cache(maxsize=4096)
def _hash64(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


@functools.lru_cache(maxsize=65536)  # more rows than that are not stepped together
def _seed_hash(seed: int) -> int:
    return _hash64.__wrapped__(f"seed:{seed}")


class KeyedRandom:
    """One Philox generator, re-keyed for every draw; holds no stream position of its own."""

    def __init__(self) -> None:
        self._bits = np.random.Philox(key=0)
        self._generator = np.random.Generator(self._bits)
        # plain lists, which the generator reads three times as fast as arrays
        self._key, self._counter = [0, 0], [0, 0, 0, 0]
        self._state: Any = {
            **self._bits.state, "state": {"key": self._key, "counter": self._counter}, "buffer": [0, 0, 0, 0],
        }  # fmt: skip

    def generator(self, seed: int, name: str, episode: int, block: int = 0) -> np.random.Generator:
        """The generator of one draw, valid until the next call.

        Args:
            seed: the row's seed, 0 or more.
            name: the draw's name; equal names give equal numbers.
            episode: the row's episode number under that seed, from 0.
            block: distinguishes successive chunks of one long draw, from 0.
        """
        self._key[0] = _seed_hash(seed)
        self._key[1] = _hash64(name)
        # counter[0] runs within a draw; the others keep draws apart by 2^64 numbers
        self._counter[0] = 0
        self._counter[1] = block
        self._counter[2] = episode
        self._counter[3] = 0
        self._bits.state = self._state
        return self._generator

    def uniform(self, seed: int, name: str, episode: int, size: int) -> NDArray[np.float64]:
        """`size` numbers in [0, 1)."""
        return self.generator(seed, name, episode).random(size)

    def fill_normal(self, seed: int, name: str, episode: int, block: int, out: NDArray[np.float64]) -> None:
        """Fill `out` with standard normal numbers."""
        self.generator(seed, name, episode, block).standard_normal(out=out)


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Finalizer of SplitMix64 (Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def counter_uniform(key: NDArray[np.int64], index: NDArray[np.int64], stream: int) -> NDArray[np.float64]:
    """Numbers in (0, 1) that depend on key, index and stream alone, so that they need no generator state.

    For numbers by the thousand a step, as the pixels of a sensor need. Key and index broadcast against each other.
    """
    x = _mixed(key.astype(np.uint64) + _GOLDEN)
    x = _mixed(x + _GOLDEN * (index.astype(np.uint64) + np.uint64(1)) + np.uint64(stream))
    return ((x >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def counter_normal(key: NDArray[np.int64], index: NDArray[np.int64], stream: int) -> NDArray[np.float64]:
    """Standard normal numbers likewise (Box and Muller 1958); takes two streams, `stream` and `stream + 1`."""
    radius = np.sqrt(-2.0 * np.log(counter_uniform(key, index, stream)))
    return radius * np.cos(2.0 * np.pi * counter_uniform(key, index, stream + 1))


def episode_key(seeds: NDArray[np.int64], episodes: NDArray[np.int64]) -> NDArray[np.int64]:
    """A key (k,) for `counter_uniform` of episodes (k,) under seeds (k,)."""
    mixed = _mixed(seeds.astype(np.uint64) + _GOLDEN) + episodes.astype(np.uint64) * np.uint64(0xD1342543DE82EF95)
    return _mixed(mixed).view(np.int64)
