"""Test-time augmentation in a config: mmdetection's `tta_model` and `tta_pipeline`."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy

from mmengine.config import Config

from mmdet.datasets.transforms import PackDetInputs, RandomFlip
from mmdet.registry import MODELS, TRANSFORMS

from .check import refuse
from .objects import Place, check_object
from .parts import datasets_of, is_a, pipeline_of_tests

_FLIP_KEYS = ('flip', 'flip_direction')


def with_tta(cfg: Config) -> Config:
    """Return a config whose test pipeline gives several views of each image, for `tta_model`.

    Args:
        cfg: a config, checked but for `tta_model` and `tta_pipeline`, which is done here: nothing
            else reads them. The latter takes the place of the test pipeline; without one, the
            image and its mirror image are what the test pipeline makes of an image.

    Raises:
        UserError: there are mistakes in them, or there is neither a `tta_pipeline` nor another.
    """
    refuse(sorted(_problems(cfg)), cfg.filename or 'the config')
    cfg = deepcopy(cfg)
    datasets = list(datasets_of(cfg.get('test_dataloader') or cfg.get('val_dataloader')))
    cfg.tta_model = cfg.get('tta_model') or dict(type='DetTTAModel')
    cfg.tta_pipeline = cfg.get('tta_pipeline') or mirrored_too(pipeline_of_tests(cfg))
    for dataset in datasets:
        dataset['pipeline'] = deepcopy(cfg.tta_pipeline)
    cfg.test_pipeline = deepcopy(cfg.tta_pipeline)
    return cfg


def mirrored_too(steps: Sequence[Mapping]) -> list[dict]:
    """Return a pipeline that gives an image and its mirror image.

    Args:
        steps: of a test pipeline; the last one packs.
    """
    *before, pack = map(dict, steps)
    if pack.get('meta_keys'):
        pack['meta_keys'] = tuple(dict.fromkeys((*pack['meta_keys'], *_FLIP_KEYS)))
    flips = [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)]
    return [*before, dict(type='TestTimeAug', transforms=[flips, [pack]])]


def _problems(cfg: Config) -> Iterator[str]:
    if cfg.get('tta_model'):
        # Its module is the config's model.
        place = Place(MODELS, supplied=frozenset({'module'}))
        yield from check_object(cfg.tta_model, 'tta_model', place)
    if cfg.get('tta_pipeline'):
        yield from _pipeline_problems(cfg.tta_pipeline, 'tta_pipeline')


def _pipeline_problems(node: Sequence, path: str) -> Iterator[str]:
    problems = [
        problem
        for index, step in enumerate(node)
        for problem in check_object(step, f'{path}.{index}', Place(TRANSFORMS))
    ]
    yield from problems
    steps = [] if problems else list(_steps(node))
    flips = any(is_a(step, TRANSFORMS, RandomFlip) for step in steps)
    for pack in (step for step in steps if flips and is_a(step, TRANSFORMS, PackDetInputs)):
        missing = set(_FLIP_KEYS) - set(pack.get('meta_keys') or _FLIP_KEYS)
        if missing:
            yield (
                f'{path}: a mirrored view must say so: add {" and ".join(sorted(missing))} to '
                'meta_keys of PackDetInputs'
            )


def _steps(node: object) -> Iterator[Mapping]:
    """Yield the steps of a pipeline, and those within them."""
    if isinstance(node, Mapping):
        yield node
        yield from _steps(node.get('transforms'))
    elif isinstance(node, list | tuple):
        for each in node:
            yield from _steps(each)
