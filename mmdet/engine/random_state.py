"""Random numbers that follow from where they are drawn.

Each sample of the data and each step of the model begins with generators seeded by its own place
in the training. What is drawn there then depends neither on what was drawn before nor on how many
workers load the data: a training that goes on from a checkpoint needs no saved generator.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import numpy as np
import torch


class Use(IntEnum):
    """What numbers are drawn for; the same place has others for each use."""

    SAMPLE = 0
    STEP = 1
    EPOCH = 2


def seed_generators(seed: int, use: Use, *place: int, cuda: bool = False) -> None:
    """Seed the generators of Python, NumPy and torch's CPU by a place in the training.

    Args:
        seed: of the training, not negative.
        use: what for.
        place: the numbers that name the place, none of them negative.
        cuda: seed the current GPU's generator, too, if there is one.
    """
    words = np.random.SeedSequence((seed, use, *place)).generate_state(8, dtype=np.uint32)
    python, cpu, gpu = (int(word) for word in words.view(np.uint64)[:3])
    random.seed(python)
    np.random.seed(words[6:])
    # torch.manual_seed would reseed the GPUs as well, under a model that is drawing from them.
    torch.default_generator.manual_seed(cpu)
    if cuda and torch.cuda.is_available():
        torch.cuda.manual_seed(gpu)


@contextmanager
def generators_put_back() -> Iterator[None]:
    """Put the generators of Python, NumPy and torch's CPU back after the block."""
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
