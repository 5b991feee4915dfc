"""What the steps of a pipeline give, noted while a data set is used."""

import random

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmdet.datasets.recording import record
from mmdet.registry import DATASETS
from tests.datasets.test_dataset_wrappers import mixed, repeated, shapes


class LeavesNothing(BaseTransform):
    """Leaves nothing of the first images that it is given, so many."""

    def __init__(self, number: int) -> None:
        self.left = number

    def transform(self, results: dict) -> dict | None:
        self.left -= 1
        return None if self.left >= 0 else results


class PaintsBlack(BaseTransform):
    """Changes the image that it is given in its place, as some people's transforms do."""

    def transform(self, results: dict) -> dict:
        results['img'][:] = 0
        return results


def names(runs: list) -> list[list[str]]:
    return [[stage.name for stage in run] for run in runs]


def test_each_step_is_noted_and_the_samples_are_the_same(shapes_root):
    config = repeated(shapes(shapes_root))
    flip, pack = dict(type='RandomFlip', prob=0.5), dict(type='PackDetInputs')
    config['dataset']['pipeline'] += [flip, pack]
    plain, recorded = DATASETS.build(config), DATASETS.build(config)
    runs = record(recorded)
    for index in (0, 15):
        runs.clear()
        samples = []
        for dataset in (plain, recorded):
            np.random.seed(index)
            samples.append(dataset[index])
        torch.testing.assert_close(samples[0]['inputs'], samples[1]['inputs'])
        (run,) = runs
        steps = ['LoadImageFromFile', 'LoadAnnotations', 'Resize', 'RandomFlip', 'PackDetInputs']
        assert names(runs) == [steps]
        loaded, _, resized, flipped, _ = (stage.results for stage in run)
        assert 'gt_masks' not in loaded
        assert loaded['img'].shape[:2] == loaded['ori_shape']
        assert max(resized['img_shape']) <= 96
        last = samples[1]['inputs'].permute(1, 2, 0).numpy()
        assert (flipped['img'] == last).all()


def test_a_mix_has_each_of_its_images_and_then_its_own_steps(shapes_root):
    config = shapes(shapes_root)
    config['pipeline'][-1] = dict(type='Pad', size=(320, 320))
    pipeline = [dict(type='CopyPaste'), dict(type='PackDetInputs')]
    dataset = DATASETS.build(mixed(config, pipeline=pipeline))
    runs = record(dataset)
    sample = dataset[3]['data_samples']
    own = ['LoadImageFromFile', 'LoadAnnotations', 'Pad']
    assert names(runs) == [own, [*own, 'CopyPaste', 'PackDetInputs']]
    assert runs[0][0].results['img_path'] == sample.img_path


def test_what_is_begun_anew_is_not_noted(shapes_root):
    random.seed(0)
    dataset = DATASETS.build(shapes(shapes_root))
    dataset.pipeline.transforms.insert(2, LeavesNothing(2))
    runs = record(dataset)
    path = dataset[0]['img_path']
    own = ['LoadImageFromFile', 'LoadAnnotations', 'LeavesNothing', 'Resize']
    assert names(runs) == [own]
    assert runs[0][0].results['img_path'] == path

    config = shapes(shapes_root)
    config['pipeline'][-1] = dict(type='Pad', size=(320, 320))
    dataset = DATASETS.build(mixed(config))
    dataset.pipeline.transforms.append(LeavesNothing(2))
    runs = record(dataset)
    dataset[0]
    own = ['LoadImageFromFile', 'LoadAnnotations', 'Pad']
    assert names(runs) == [own, [*own, 'CopyPaste', 'LeavesNothing']]


def test_no_later_step_changes_what_an_earlier_one_gave(shapes_root):
    dataset = DATASETS.build(shapes(shapes_root))
    dataset.pipeline.transforms.append(PaintsBlack())
    runs = record(dataset)
    dataset[0]
    (run,) = runs
    assert run[-2].results['img'].any()
    assert not run[-1].results['img'].any()
