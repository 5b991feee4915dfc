"""What the evaluation of a few images takes, measured as that of many is."""

import importlib.util
import json
from pathlib import Path

from mmdet.datasets.coco_file import read_coco_file


def test_the_same_is_measured_with_a_file_and_without(tmp_path):
    path = Path(__file__).parents[2] / 'tools/analysis_tools/measure_large_evaluation.py'
    spec = importlib.util.spec_from_file_location('measure_large_evaluation', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    ann_file, out = tmp_path / 'truth.json', tmp_path / 'out.json'
    tool.write_file(ann_file, 40, 5)
    assert len(read_coco_file(str(ann_file)).annotations) == 40 * tool.OBJECTS
    with_file = tool.probe(str(ann_file), 40, 20, 5, str(out))
    without = tool.probe('', 40, 20, 5, None)
    assert 0.05 < with_file['mAP'] == without['mAP'] < 0.95
    assert set(with_file) == set(without)
    assert len(json.loads(out.read_text())) == 40 * 20
