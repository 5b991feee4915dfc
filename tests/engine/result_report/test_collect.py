"""The figures of a report, against a scene by hand."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from mmengine.config import Config

from mmdet.engine.finished_test import evaluate, read_test
from mmdet.engine.result_report import Report, Run, collect, read_parts
from mmdet.registry import DATASETS
from tests.datasets.formats.scene import SCENE

from .data import write_results, write_test


def reported(
    cfg: Config,
    results: str,
    folder: str,
    source: str = 'mine.py',
    checkpoint: str = 'epoch_1.pth',
    others: Mapping[str, float] | None = None,
) -> Report:
    """Return the report of a test whose checkpoint lies in the folder."""
    test = read_test(cfg, results)
    run = Run(
        source, f'{folder}/{checkpoint}', False, 'cpu', {**(others or {}), **evaluate(cfg, test)}
    )
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    return collect(test.metric, test.results, dataset, read_parts(cfg), cfg, run)


@pytest.fixture
def cfg(tmp_path, tiny_model) -> Config:
    return write_test(tmp_path / 'data', tiny_model)


@pytest.fixture
def report(cfg, tmp_path) -> Report:
    """Three of five objects are found: both dogs and the old boat, and neither cat."""
    write_results(tmp_path / 'results.json')
    return reported(cfg, str(tmp_path / 'results.json'), str(tmp_path))


def by_name(rows: Sequence[dict]) -> dict[str, dict]:
    return {row['name']: row for row in rows}


def test_its_figures(report):
    figures = json.loads(json.dumps(report.figures, allow_nan=False))
    data = figures['data']
    assert [data[name] for name in ('images', 'images_without_objects', 'objects')] == [4, 1, 5]
    assert (data['predictions'], data['classes_with_objects']) == (3, 3)
    assert figures['figures']['coco/segm_mAP'] == pytest.approx(2 / 3)
    sizes = by_name(figures['by_size'])
    assert {name: (row['objects'], row['found']) for name, row in sizes.items()} == {
        'all': (5, 3),
        'small': (3, 2),
        'medium': (2, 1),
        'large': (0, 0),
    }
    assert sizes['small']['ap'] == pytest.approx(0.5)
    assert sizes['large']['ap'] is None
    classes = by_name(figures['by_class'])
    assert [classes[name]['ap'] for name in ('cat', 'dog', 'old boat')] == [0, 1, 1]
    assert classes['cat']['best'] is None
    assert classes['dog']['best'] == dict(score_thr=0.7, precision=1, recall=1, f1=1)
    # The lowest score of all is the old boat's, and no prediction is wrong.
    assert figures['thresholds']['best'] == pytest.approx(
        dict(score_thr=0.6, precision=1, recall=0.6, f1=0.75)
    )
    sweep = {each['score_thr']: each['recall'] for each in figures['thresholds']['sweep']}
    assert (sweep[0.0], sweep[0.7], sweep[0.9], sweep[1.0]) == (0.6, 0.4, 0.2, 0)
    curve = figures['precision_recall']
    assert len(curve['recall']) == len(curve['iou_75']) == 101
    assert np.mean(curve['iou_50_to_95']) == pytest.approx(2 / 3, abs=1e-4)


def test_figures_are_those_of_its_metric(cfg, tmp_path):
    write_results(tmp_path / 'results.json')
    others = {'second/segm_mAP_s': 0.9, 'second/segm_mAP': 0.9}
    report = reported(cfg, str(tmp_path / 'results.json'), str(tmp_path), others=others)
    assert by_name(report.figures['by_size'])['small']['ap'] == pytest.approx(0.5)
    assert not others.keys() & report.figures['figures'].keys()


def test_its_errors(report):
    """Nothing is wrong but that two cats are missed, without which the AP would be 1."""
    errors = report.figures['errors']
    kinds = {each['kind']: each for each in errors['kinds']}
    assert errors['ap'] == pytest.approx(2 / 3)
    assert kinds['missed']['count'] == 2
    assert kinds['missed']['gain'] == pytest.approx(1 / 3)
    assert {each['count'] for kind, each in kinds.items() if kind != 'missed'} == {0}
    assert {name: each['count'] for name, each in kinds['missed']['by_size'].items()} == {
        'small': 1,
        'medium': 1,
        'large': 0,
    }
    matrix = report.figures['confusion']['matrix']
    assert matrix == [[0, 0, 0, 2], [0, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    limits = report.figures['limits']
    assert limits[0]['said'].startswith('Objects that are missed cost most: 33.3 points of AP')
    weights = [(each['weight'], each['points']) for each in limits]
    assert weights == sorted(weights, reverse=True)
    assert any('1 class is never found: cat.' in each['said'] for each in limits)


def test_its_images(report):
    images = report.figures['images']
    names = {name: [each['image'][-12:] for each in images[name]] for name in images}
    assert names == dict(best=['al2017/b.png'], worst=['7/deep/a.png', 'al2017/a.png'])
    assert [each['ap'] for each in images['worst']] == [0, 0.5]
    (best,) = report.pictures['best']
    # 120 x 80 is enlarged by whole numbers; what was found is beside what is there.
    assert best.shape == (480, 640, 3)
    there, found = best[:, :320].astype(int), best[:, 320:].astype(int)
    assert np.abs(there - found).mean() < 10  # the captions differ
    (_, worst) = report.pictures['worst']
    there, found = np.split(worst.astype(int), 2, axis=1)
    cat = SCENE[0].things[1].mask(80, 120).repeat(4, 0).repeat(4, 1) > 0
    assert np.abs(there - found)[cat].mean() > 20
    assert np.abs(there - found)[~cat].mean() < 10


def test_the_grid_bounds_what_can_be_found(cfg, tmp_path):
    """With no range below 85 pixels, only what is larger in the doubled input has a cell."""
    write_results(tmp_path / 'results.json')
    head = cfg.model.mask_head
    head.update(strides=[8, 4], num_grids=[8, 4], scale_ranges=((85, 2048), (85, 2048)))
    grid = reported(cfg, str(tmp_path / 'results.json'), str(tmp_path)).figures['grid']
    assert (grid['objects'], grid['learnt'], grid['in_no_range']) == (5, 3, 2)
    classes = by_name(grid['by_class'])
    assert [classes[name]['recall_bound'] for name in ('cat', 'dog', 'old boat')] == [0.5, 0.5, 1]
    assert [classes[name]['recall'] for name in ('cat', 'dog', 'old boat')] == [0, 1, 1]
    sizes = by_name(grid['by_size'])
    # √(28 x 13) and 30, doubled; the dog of the first is found, the cat of the second is not.
    assert {name: row['recall'] for name, row in sizes.items() if row['objects']} == {
        '32 to 64': 0.5,
        '64 to 128': 0.5,
        '128 to 256': 1,
    }


def test_the_training_beside_the_checkpoint(cfg, tmp_path):
    write_results(tmp_path / 'results.json')
    assert reported(cfg, str(tmp_path / 'results.json'), str(tmp_path)).figures['training'] is None
    log = tmp_path / '20260101_000000/vis_data/scalars.json'
    log.parent.mkdir(parents=True)
    lines = []
    for epoch, ap in enumerate([0.1, 0.3, 0.2], start=1):
        lines += [
            dict(loss=4.0 - epoch, iter=10 * epoch, step=10 * epoch, epoch=epoch),
            {'coco/segm_mAP': ap, 'step': epoch},
        ]
    log.write_text(''.join(f'{json.dumps(line)}\n' for line in lines))
    figures = reported(cfg, str(tmp_path / 'results.json'), str(tmp_path)).figures
    training = figures['training']
    assert training['losses']['loss'] == dict(unit='iteration', xs=[10, 20, 30], ys=[3, 2, 1])
    assert training['scores']['coco/segm_mAP']['ys'] == [0.1, 0.3, 0.2]
    assert any(
        'an AP of 0.300 at epoch 2, and of 0.200 at the end' in each['said']
        for each in figures['limits']
    )
    best = 'best_coco_segm_mAP_epoch_2.pth'
    of_best = reported(cfg, str(tmp_path / 'results.json'), str(tmp_path), checkpoint=best).figures
    assert not any('was better before' in each['said'] for each in of_best['limits'])


def test_nothing_found(cfg, tmp_path):
    (tmp_path / 'none.json').write_text('[]')
    figures = reported(cfg, str(tmp_path / 'none.json'), str(tmp_path)).figures
    assert [each['said'] for each in figures['limits']] == [
        'Nothing was found in any of the 4 images.'
    ]
    assert figures['thresholds']['best'] is None


def test_nothing_to_find(cfg, tmp_path):
    path = cfg.test_evaluator.ann_file
    with open(path) as file:
        content = json.load(file)
    content['annotations'] = []
    with open(path, 'w') as file:
        json.dump(content, file)
    write_results(tmp_path / 'results.json')
    report = reported(cfg, str(tmp_path / 'results.json'), str(tmp_path))
    assert [each['said'] for each in report.figures['limits']] == [
        'The test has no objects in its images: there is nothing to measure.'
    ]
    assert report.pictures == dict(best=[], worst=[])
