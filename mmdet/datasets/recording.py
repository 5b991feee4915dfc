"""What each step of a data set's pipelines gives, for those who want to look at it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from torch.utils.data import Dataset

from .dataset_wrappers import MultiImageMixDataset, layers


class Stage(NamedTuple):
    """What a step of a pipeline gave.

    Attributes:
        name: of the step's class.
        results: its results; the image is a copy, which no later step can change.
    """

    name: str
    results: dict


def record(dataset: Dataset) -> list[list[Stage]]:
    """Let the steps of a data set's pipelines note what they give, from now on.

    Args:
        dataset: with wrappers or without; it gives the same samples as before.

    Returns:
        A list that is filled by each sample that is drawn: one list of stages for each image that
        the sample is made of, those of a mix being in the last. What is begun anew, because a step
        left nothing, is not there. Whoever draws samples empties it.
    """
    runs: list[list[Stage]] = []
    for layer in layers(dataset):
        is_mix = isinstance(layer, MultiImageMixDataset)
        pipeline = getattr(layer, 'pipeline', None)
        if pipeline is not None:
            pipeline.transforms = [
                _Recorded(step, runs, begins=not is_mix and index == 0, is_mix=is_mix)
                for index, step in enumerate(pipeline.transforms)
            ]
    return runs


class _Recorded:
    """A step of a pipeline that notes what it gives; of attributes it has the step's.

    Args:
        step: the step.
        runs: where it notes it.
        begins: it is the first of those that an image goes through.
        is_mix: it works on several images, all of which are loaded again if it leaves nothing.
    """

    def __init__(
        self,
        step: Callable[[dict], dict | None],
        runs: list[list[Stage]],
        *,
        begins: bool,
        is_mix: bool,
    ) -> None:
        self._step = step
        self._runs = runs
        self._begins = begins
        self._is_mix = is_mix

    def __call__(self, results: dict) -> dict | None:
        if self._begins:
            self._runs.append([])
        given = self._step(results)
        if given is not None:
            copies = {key: np.copy(given[key]) for key in ('img',) if key in given}
            self._runs[-1].append(Stage(type(self._step).__name__, {**given, **copies}))
        elif self._is_mix:
            self._runs.clear()
        else:
            self._runs.pop()
        return given

    def __getattr__(self, name: str) -> object:
        return getattr(self._step, name)
