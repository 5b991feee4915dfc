"""A results file beside a config's test."""

import json
import pickle

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric

from mmdet.engine.finished_test import evaluator_of, read_test, read_test_of_file
from mmdet.errors import UserError
from mmdet.structures.segmentation import as_rle, json_rle
from tests.datasets.formats.scene import CLASSES, SCENE, write_pictures
from tests.engine.dataset_report.data import config_of, scene_of, write_coco

# The image of each thing of the scene, its label and its mask
THINGS = [
    (number, thing.label, as_rle([thing.outline.ravel().tolist()], picture.height, picture.width))
    for number, picture in enumerate(SCENE, start=1)
    for thing in picture.things
]


@pytest.fixture
def cfg(tmp_path) -> Config:
    """A test of the scene; there are no images in its folder."""
    write_coco(tmp_path, 'val2017', scene_of())
    cfg = config_of(tmp_path)
    cfg.test_cfg = {}
    ann_file = str(tmp_path / 'annotations/instances_val2017.json')
    cfg.test_evaluator = dict(type='CocoMetric', ann_file=ann_file)
    return cfg


def detections() -> list[dict]:
    """All objects of the scene as COCO's results, the first of another class."""
    return [
        dict(
            image_id=image,
            category_id=10 + (0 if index == 0 else label),
            score=0.9 - index / 10,
            segmentation=json_rle(rle),
        )
        for index, (image, label, rle) in enumerate(THINGS)
    ]


def samples() -> list[dict]:
    """The same as mmdetection pickles them."""
    found: dict[int, list[dict]] = {number: [] for number in range(1, len(SCENE) + 1)}
    for each in detections():
        found[each['image_id']].append(each)
    return [
        dict(
            img_id=image,
            pred_instances=dict(
                scores=torch.tensor([each['score'] for each in some], dtype=torch.float64),
                labels=torch.tensor([each['category_id'] - 10 for each in some]),
                masks=[each['segmentation'] for each in some],
            ),
        )
        for image, some in found.items()
    ]


def written(folder, content: list[dict], suffix: str) -> str:
    path = folder / f'results.{suffix}'
    path.write_bytes(pickle.dumps(content) if suffix == 'pkl' else json.dumps(content).encode())
    return str(path)


@pytest.mark.parametrize('suffix', ['pkl', 'json'])
@pytest.mark.parametrize('measured_by', ['file', 'samples', 'annotations'])
def test_both_kinds_of_files_by_all_kinds_of_truth(cfg, tmp_path, suffix, measured_by):
    content = samples() if suffix == 'pkl' else detections()
    if suffix == 'json' and measured_by == 'samples':
        for each in content:  # then COCO's results number the classes
            each['category_id'] -= 9
    path = written(tmp_path, content, suffix)
    if measured_by == 'annotations':
        test = read_test_of_file(cfg.test_evaluator.ann_file, path)
    else:
        if measured_by == 'samples':
            cfg.test_evaluator = dict(type='CocoMetric')
            write_pictures(tmp_path / 'val2017')
        test = read_test(cfg, path)
    assert test.classes == CLASSES
    images = list(test.images())
    assert [each.size for each in images] == [(each.height, each.width) for each in SCENE]
    assert [each.labels.tolist() for each in images] == [[0, 0, 1], [2], []]
    assert [each.object_labels.tolist() for each in images] == [[1, 0, 1], [2], []]
    assert images[0].ious.argmax(1).tolist() == [0, 1, 2]
    first, second, third = test.samples()
    assert first['pred_instances']['scores'].tolist() == images[0].scores.tolist()
    assert second['pred_instances']['masks'].rles == [THINGS[-1][2]]
    assert len(third['pred_instances']['masks']) == 0


class Other(BaseMetric):
    """Another metric than COCO's."""

    def process(self, data_batch: dict, data_samples: list[dict]) -> None:
        raise NotImplementedError

    def compute_metrics(self, results: list) -> dict:
        raise NotImplementedError


def test_what_another_metric_measures_is_sought_by_the_data_set(cfg, tmp_path):
    write_pictures(tmp_path / 'val2017')
    cfg.test_evaluator = [dict(type=Other), dict(type='DumpResults', out_file_path='a.pkl')]
    assert evaluator_of(cfg) == [dict(type=Other)]
    test = read_test(cfg, written(tmp_path, samples(), 'pkl'))
    assert [each.object_labels.tolist() for each in test.images()] == [[1, 0, 1], [2], []]


def test_nothing_is_written_again(cfg, tmp_path):
    evaluator = dict(cfg.test_evaluator, outfile_prefix=str(tmp_path / 'a'), format_only=True)
    cfg.test_evaluator = [evaluator]
    wanted = dict(type='CocoMetric', ann_file=evaluator['ann_file'], classwise=True)
    assert evaluator_of(cfg) == [wanted]
    test = read_test(cfg, written(tmp_path, samples(), 'pkl'))
    assert not test.metric.format_only and not test.metric.result_file


def test_mistakes(cfg, tmp_path):
    content = detections()
    content[0]['image_id'] = 99
    with pytest.raises(UserError, match=r'image id 99, which .*instances_val2017\.json lacks'):
        read_test(cfg, written(tmp_path, content, 'json'))
    cfg.test_cfg = None
    with pytest.raises(UserError, match='has no test_cfg'):
        read_test(cfg, written(tmp_path, detections(), 'json'))
    cfg.test_cfg = {}
    cfg.test_evaluator = dict(type='DumpResults', out_file_path='a.pkl')
    with pytest.raises(UserError, match='has no metric in test_evaluator'):
        read_test(cfg, written(tmp_path, detections(), 'json'))
