import json

import pytest
import torch
from mmengine.config import Config

from mmdet.apis import inference_pipeline
from mmdet.errors import UserError
from mmdet.export.metadata import Metadata, describe, scale_of_tests
from mmdet.registry import MODELS
from tests.export.conftest import MODEL

CLASSES = ('bolt', "nut's")


@pytest.fixture
def metadata(build_detector) -> Metadata:
    detector = build_detector('solo')
    return describe(
        detector,
        detector.cfg,
        dict(classes=CLASSES, palette=[(1, 2, 3), (4, 5, 6)]),
        size=(96, 128),
        num_candidates=500,
        half=False,
        raw=False,
        outputs=('scores', 'labels'),
    )


def test_it_comes_back_as_it_was(metadata):
    strings = metadata.to_strings()
    assert all(isinstance(value, str) for value in strings.values())
    assert json.loads(strings['classes']) == list(CLASSES)
    assert Metadata.from_strings({**strings, 'other': '1'}, source='x.onnx') == metadata


def test_it_says_what_the_preprocessor_does(metadata):
    """The config names the channels after they are swapped, the file as they come in."""
    assert metadata.color_order == 'BGR'
    assert metadata.mean == metadata.pad_color == (103.53, 116.28, 123.675)
    assert metadata.std == (57.375, 57.12, 58.395)
    assert metadata.pad_size_divisor == 32
    assert metadata.test_scale == (128, 96)
    assert metadata.test_factor == 1
    assert metadata.test_cfg['max_per_img'] == 30


def test_padding_is_what_the_preprocessor_pads_with(build_detector):
    detector = build_detector('solo')
    settings = {**MODEL['data_preprocessor'], 'pad_value': 0.5}
    detector.data_preprocessor = MODELS.build(settings)
    arguments = dict(size=None, num_candidates=1, half=False, raw=False, outputs=())
    told = describe(detector, detector.cfg, dict(classes=CLASSES), **arguments)
    shown = (torch.tensor(told.pad_color) - torch.tensor(told.mean)) / torch.tensor(told.std)
    torch.testing.assert_close(shown, torch.full((3,), 0.5))


def test_the_pipeline_comes_with_it(metadata):
    pipeline = inference_pipeline(metadata.to_config(source='x.onnx'))
    assert [type(step).__name__ for step in pipeline.transforms] == [
        'InferencerLoader',
        'Resize',
        'PackDetInputs',
    ]


@pytest.mark.parametrize(
    ('change', 'complaint'),
    [
        (dict(classes=None, mean=None), 'not a file of tools/deployment.*lacks classes, mean'),
        (dict(format_version='7'), 'has format 7'),
        (dict(strides='[8, 8'), 'cannot be read'),
    ],
)
def test_what_is_not_ours(metadata, change, complaint):
    strings = {**metadata.to_strings(), **change}
    strings = {name: value for name, value in strings.items() if value is not None}
    with pytest.raises(UserError, match=complaint):
        Metadata.from_strings(strings, source='x.onnx')


def test_code_in_the_config_is_refused(metadata):
    text = "model = dict(type='os.system', command='true')\n"
    strings = {**metadata.to_strings(), 'config': text}
    with pytest.raises(UserError, match='names code'):
        Metadata.from_strings(strings, source='x.onnx').to_config(source='x.onnx')


def scale_of_tests_of_a_pipeline_without_a_size():
    steps = [dict(type='LoadImageFromFile'), dict(type='Resize', scale_factor=0.5)]
    assert scale_of_tests(Config(dict(test_pipeline=steps))) is None
    steps = [dict(type='mmdet.Resize', scale=(448, 768), keep_ratio=True)]
    assert scale_of_tests(Config(dict(test_pipeline=steps))) == (768, 448)
