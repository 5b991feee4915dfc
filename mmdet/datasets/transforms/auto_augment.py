"""AutoAugment (arXiv 1805.09501, for detection 1906.11172) and RandAugment (1909.13719)."""

from collections.abc import Callable

import numpy as np
from mmcv.transforms import BaseTransform

from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS

from .arguments import check_within, require

_POLICIES = [
    [('Equalize', 0.8, 1), ('ShearY', 0.8, 4)],
    [('Color', 0.4, 9), ('Equalize', 0.6, 3)],
    [('Color', 0.4, 1), ('Rotate', 0.6, 8)],
    [('Solarize', 0.8, 3), ('Equalize', 0.4, 7)],
    [('Solarize', 0.4, 2), ('Solarize', 0.6, 2)],
    [('Color', 0.2, 0), ('Equalize', 0.8, 8)],
    [('Equalize', 0.4, 8), ('SolarizeAdd', 0.8, 3)],
    [('ShearX', 0.2, 9), ('Rotate', 0.6, 8)],
    [('Color', 0.6, 1), ('Equalize', 1.0, 2)],
    [('Invert', 0.4, 9), ('Rotate', 0.6, 0)],
    [('Equalize', 1.0, 9), ('ShearY', 0.6, 3)],
    [('Color', 0.4, 7), ('Equalize', 0.6, 0)],
    [('Posterize', 0.4, 6), ('AutoContrast', 0.4, 7)],
    [('Solarize', 0.6, 8), ('Color', 0.6, 9)],
    [('Solarize', 0.2, 4), ('Rotate', 0.8, 9)],
    [('Rotate', 1.0, 7), ('TranslateY', 0.8, 9)],
    [('ShearX', 0.0, 0), ('Solarize', 0.8, 4)],
    [('ShearY', 0.8, 0), ('Color', 0.6, 4)],
    [('Color', 1.0, 0), ('Rotate', 0.6, 2)],
    [('Equalize', 0.8, 4), ('Equalize', 0.0, 8)],
    [('Equalize', 1.0, 4), ('AutoContrast', 0.6, 2)],
    [('ShearY', 0.4, 7), ('SolarizeAdd', 0.6, 7)],
    [('Posterize', 0.8, 2), ('Solarize', 0.6, 10)],
    [('Solarize', 0.6, 8), ('Equalize', 0.6, 1)],
    [('Color', 0.8, 6), ('Rotate', 0.4, 5)],
]
_SPACE = (
    *('AutoContrast', 'Equalize', 'Invert', 'Rotate', 'Posterize', 'Solarize', 'SolarizeAdd'),
    *('Color', 'Contrast', 'Brightness', 'Sharpness'),
    *('ShearX', 'ShearY', 'TranslateX', 'TranslateY'),
)


@TRANSFORMS.register_module()
class AutoAugment(BaseTransform):
    """Apply one of several sequences of transforms.

    Args:
        policies: a list of such sequences; by default mmdetection's 25, of two transforms each.
        prob: how often each of them is applied; together 1. By default all the same.
    """

    def __init__(
        self, policies: list[list[dict]] | None = None, prob: list[float] | None = None
    ) -> None:
        if policies is None:
            policies = [
                [dict(type=name, prob=often, level=level) for name, often, level in each]
                for each in _POLICIES
            ]
        transforms = _build(self, 'policies', policies)
        _check_prob(self, prob, len(policies))
        self.transforms = transforms
        self.prob = prob

    def transform(self, results: dict) -> dict | None:
        """Return changed results, or None for an image to skip."""
        return _apply(self.transforms[np.random.choice(len(self.transforms), p=self.prob)], results)


@TRANSFORMS.register_module()
class RandAugment(BaseTransform):
    """Apply some of several transforms, none of them twice, in random order.

    Args:
        aug_space: a list of sequences to choose from; by default 15 of one transform each.
        aug_num: how many are applied.
        prob: how often each of them is chosen; together 1. By default all the same.
    """

    def __init__(
        self,
        aug_space: list[list[dict]] | None = None,
        aug_num: int = 2,
        prob: list[float] | None = None,
    ) -> None:
        if aug_space is None:
            aug_space = [[dict(type=name)] for name in _SPACE]
        transforms = _build(self, 'aug_space', aug_space)
        check_within(self, 1, len(aug_space), aug_num=aug_num)
        _check_prob(self, prob, len(aug_space))
        self.transforms = transforms
        self.prob = prob
        self.aug_num = aug_num

    def transform(self, results: dict) -> dict | None:
        """Return changed results, or None for an image to skip."""
        every = len(self.transforms)
        chosen = np.random.choice(every, self.aug_num, p=self.prob, replace=False)
        return _apply([step for index in chosen for step in self.transforms[index]], results)


def _apply(transforms: list[Callable], results: dict) -> dict | None:
    for transform in transforms:
        results = transform(results)
        if results is None:
            return None
    return results


def _build(transform: object, name: str, sequences: list[list[dict]]) -> list[list[Callable]]:
    fits = isinstance(sequences, list | tuple) and len(sequences) > 0
    fits = fits and all(isinstance(each, list | tuple) and len(each) > 0 for each in sequences)
    require(transform, fits, f'{name} is {sequences!r}, not a list of lists of transforms')
    return [[TRANSFORMS.build(step) for step in sequence] for sequence in sequences]


def _check_prob(transform: object, prob: list[float] | None, number: int) -> None:
    if prob is None:
        return
    check_within(transform, 0, 1, **{f'prob[{index}]': each for index, each in enumerate(prob)})
    if len(prob) != number or abs(sum(prob) - 1) > 1e-6:
        raise UserError(
            f'{type(transform).__name__}: prob is {prob!r}, not {number} numbers that make 1'
        )
