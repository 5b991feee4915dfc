import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmdet.datasets.shapes import CLASSES
from mmdet.errors import UserError
from mmdet.evaluation import CocoMetric, DumpDetResults
from mmdet.evaluation.coco_metric import FIGURES
from mmdet.structures import RLEMasks
from tests.evaluation.test_coco_metric import detections_for, evaluate
from tests.peer import ask

READ = """
import pickle, sys
samples = pickle.load(open(sys.argv[1], 'rb'))
assert not [name for name in sys.modules if name.startswith(('mmdet', 'mmengine'))]
print(len(samples), *sorted(samples[0]))
"""


@pytest.fixture
def ann_file(shapes_root) -> Path:
    return shapes_root / 'annotations/instances_val2017.json'


@pytest.fixture
def samples(ann_file) -> list[dict]:
    """What a test hands to its metrics."""
    samples = detections_for(json.loads(ann_file.read_text()))
    for sample in samples:
        sample.update(ori_shape=(9, 9), gt_instances=dict(labels=[1]), ignored_instances={})
    return samples


def dump(samples: list[dict], path: Path) -> list[dict]:
    evaluate(DumpDetResults(str(path)), samples)
    return pickle.loads(path.read_bytes())


def test_the_file_holds_the_figures_and_nothing_of_the_truth(ann_file, samples, tmp_path):
    before = copy.deepcopy(samples)
    found = dump(samples, tmp_path / 'made/results.pkl')
    assert [set(sample) for sample in samples] == [set(sample) for sample in before]
    assert all(isinstance(sample['pred_instances']['masks'], RLEMasks) for sample in samples)
    for sample in found:
        assert set(sample) == {'img_id', 'ori_shape', 'pred_instances'}
        masks = sample['pred_instances']['masks']
        assert all(isinstance(rle['counts'], bytes) for rle in masks)
        for box, rle in zip(sample['pred_instances']['bboxes'].tolist(), masks, strict=True):
            rows, columns = np.nonzero(coco_mask.decode(rle))
            around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert box == around
        sample['pred_instances']['masks'] = RLEMasks(masks, 9, 9)
    figures = evaluate(CocoMetric(str(ann_file)), found)
    assert figures == evaluate(CocoMetric(str(ann_file)), samples)
    assert figures['coco/segm_mAP'] > 0.1


def test_reading_it_takes_nothing_of_this_project(samples, tmp_path):
    dump(samples, tmp_path / 'results.pickle')
    command = [sys.executable, '-I', '-c', READ, str(tmp_path / 'results.pickle')]
    said = subprocess.run(command, capture_output=True, text=True, cwd='/', check=False)
    assert said.stdout == '7 img_id ori_shape pred_instances\n', said.stderr


def test_mmdetections_metric_has_the_same_figures_of_it(ann_file, samples, tmp_path):
    dump(samples, tmp_path / 'results.pkl')
    question = dict(
        ann_file=str(ann_file), classes=CLASSES, dumped=(tmp_path / 'results.pkl').read_bytes()
    )
    theirs = ask(Path(__file__).with_name('peer_dump.py'), question)
    ours = evaluate(CocoMetric(str(ann_file)), samples)
    for name in FIGURES[:6]:  # mmdetection rounds
        assert theirs[f'coco/segm_{name}'] == pytest.approx(ours[f'coco/segm_{name}'], abs=6e-4)


def test_another_name_is_refused():
    with pytest.raises(UserError, match=r'DumpDetResults: x\.json is no name of a \.pkl file'):
        DumpDetResults('x.json')
