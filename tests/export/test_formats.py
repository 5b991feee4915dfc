"""Files of every format and head, run by their runtimes."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from mmdet.apis import infer, inference_pipeline, load_detector
from mmdet.datasets.image_file import read_image
from mmdet.errors import UserError
from mmdet.export import ExportSettings, export_detector
from mmdet.export.check import check_export
from mmdet.export.metadata import Metadata
from mmdet.export.runtimes import load_runtime
from mmdet.structures import DetDataSample, RLEMasks
from tests.samples import HEADS

DYNAMIC = ExportSettings(dynamic=True)


def write(detector, path, format='onnx', settings=DYNAMIC):
    export_detector(
        detector, detector.cfg, detector.dataset_meta, path, format=format, settings=settings
    )
    return str(path)


def ious(mine: RLEMasks, theirs: RLEMasks) -> np.ndarray:
    a, b = (each.to_ndarray().astype(bool) for each in (mine, theirs))
    return (a & b).sum((1, 2)) / np.maximum((a | b).sum((1, 2)), 1)


def assert_finds_the_same(detector, path, images):
    file = load_detector(path)
    expected = infer(detector, images, inference_pipeline(detector.cfg))
    found = infer(file, images, inference_pipeline(file.cfg))
    assert file.dataset_meta['classes'] == detector.dataset_meta['classes']
    for mine, theirs in zip(found, expected, strict=True):
        mine, theirs = mine.pred_instances, theirs.pred_instances
        assert len(theirs) > 3
        torch.testing.assert_close(mine.scores, theirs.scores, atol=1e-4, rtol=0)
        assert mine.labels.tolist() == theirs.labels.tolist()
        assert ious(mine.masks, theirs.masks).min() >= 0.99


@pytest.mark.parametrize('kind', HEADS)
def test_onnx_finds_the_same(build_detector, images, tmp_path, kind):
    pytest.importorskip('onnxscript')
    pytest.importorskip('onnxruntime')
    detector = build_detector(kind)
    path = write(detector, tmp_path / 'model.onnx', settings=ExportSettings(size=(96, 128)))
    assert_finds_the_same(detector, path, images[:2])
    assert [each.name for each in tmp_path.iterdir()] == ['model.onnx']


@pytest.mark.parametrize('kind', ['decoupled', 'solov2'])
def test_onnx_of_any_size_finds_the_same(build_detector, images, tmp_path, kind):
    pytest.importorskip('onnxscript')
    pytest.importorskip('onnxruntime')
    detector = build_detector(kind)
    path = write(detector, tmp_path / 'model.onnx')
    assert_finds_the_same(detector, path, images)


def test_onnx_finds_the_same_in_photos(build_detector, tmp_path, shared):
    pytest.importorskip('onnxscript')
    pytest.importorskip('onnxruntime')
    photos = sorted((shared / 'data' / 'coco_tiny' / 'val2017').glob('*.jpg'))[:6]
    images = [read_image(str(photo)) for photo in photos]
    assert len({image.shape for image in images}) > 1
    detector = build_detector('solo')
    path = write(detector, tmp_path / 'model.onnx')
    assert_finds_the_same(detector, path, images)


@pytest.mark.parametrize('kind', ['solo', 'solov2-dcn'])
def test_torch_export_finds_the_same(build_detector, images, tmp_path, kind):
    detector = build_detector(kind)
    path = write(detector, tmp_path / 'model.pt2', 'torch-export')
    assert_finds_the_same(detector, path, images)


def test_openvino_finds_the_same(build_detector, images, tmp_path):
    pytest.importorskip('onnxscript')
    pytest.importorskip('openvino')
    detector = build_detector('decoupled')
    path = write(detector, tmp_path / 'model.xml', 'openvino', ExportSettings(size=(96, 128)))
    assert_finds_the_same(detector, path, images[:2])


WITHOUT_US = """
import sys
sys.modules.update(dict.fromkeys(['mmdet', 'mmengine', 'mmcv'])) # importing them is an error
import json, torch
extra = {'mmdet_solo.json': ''}
module = torch.export.load(sys.argv[1], extra_files=extra).module()
scores, labels, masks, above = module(torch.full((1, 3, 96, 128), 127.0))
print(json.dumps([json.loads(extra['mmdet_solo.json'])['classes'], scores.tolist()]))
"""


def test_torch_export_runs_without_this_package(build_detector, tmp_path):
    detector = build_detector('solo')
    path = write(detector, tmp_path / 'model.pt2', 'torch-export', ExportSettings(size=(96, 128)))
    done = subprocess.run(
        [sys.executable, '-I', '-c', WITHOUT_US, path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    classes, scores = json.loads(done.stdout)
    assert json.loads(classes) == list(detector.dataset_meta['classes'])
    expected = load_runtime(path).run(torch.full((1, 3, 96, 128), 127.0))['scores']
    torch.testing.assert_close(torch.tensor(scores), expected)
    assert expected[0] > 0


def mask_from_parts(kind, parts, level, row, column, size):
    """Draw the mask of a cell as the docstring of `RawHeads` says."""

    def double(maps):
        return torch.nn.functional.interpolate(maps[None], scale_factor=2, mode='bilinear')[0]

    def resize(maps):
        return torch.nn.functional.interpolate(maps[None], size=size, mode='bilinear')[0]

    if kind.startswith('decoupled'):
        lines = parts[f'columns_{level}'][column], parts[f'rows_{level}'][row]
        x, y = (resize(line[None].sigmoid()) for line in lines)
        return (x * y)[0]
    cell = row * len(parts[f'scores_{level}'][0]) + column
    features = parts['features' if kind == 'solov2' else f'features_{level}']
    logits = torch.einsum('c,chw->hw', parts[f'kernels_{level}'][cell], features)[None]
    if kind == 'solo':
        logits = double(logits + parts[f'bias_{level}'][cell])
    return resize(logits.sigmoid())[0]


@pytest.mark.parametrize('kind', ['solo', 'decoupled', 'solov2'])
def test_raw_heads_are_enough_to_draw_a_mask(build_detector, tmp_path, kind):
    pytest.importorskip('onnxscript')
    pytest.importorskip('onnxruntime')
    detector = build_detector(kind)
    path = write(detector, tmp_path / 'raw.onnx', settings=ExportSettings(size=(96, 128), raw=True))
    runtime = load_runtime(path)
    image = torch.rand(1, 3, 96, 128) * 255
    parts = runtime.run(image)
    assert Metadata.from_strings(runtime.strings, source=path).outputs == tuple(parts)

    head = detector.mask_head
    data = detector.data_preprocessor(dict(inputs=[image[0]], data_samples=[_sample()]))
    outputs = head(detector.extract_feat(data['inputs']))
    level, row, column = 1, 2, 5
    cell = torch.tensor([row * head.num_grids[level] + column])
    expected = head.cell_probabilities(outputs, 0, level, cell)[0]
    drawn = mask_from_parts(kind, parts, level, row, column, tuple(expected.shape))
    torch.testing.assert_close(drawn, expected, atol=1e-4, rtol=0)
    assert parts[f'scores_{level}'].shape == (3, head.num_grids[level], head.num_grids[level])
    with pytest.raises(UserError, match='holds the heads alone'):
        load_detector(path)


def _sample():
    return DetDataSample(metainfo=dict(img_shape=(96, 128), ori_shape=(96, 128)))


def test_half_runs_in_onnxruntime(build_detector, tmp_path):
    pytest.importorskip('onnxscript')
    pytest.importorskip('onnxruntime')
    detector = build_detector('solo')
    sizes, found = [], []
    for half in (False, True):
        path = tmp_path / f'{half}.onnx'
        write(detector, path, settings=ExportSettings(size=(96, 128), half=half))
        sizes.append(path.stat().st_size)
        found.append(load_runtime(path).run(torch.full((1, 3, 96, 128), 127.0))['scores'])
    # Two bytes for each weight are saved; of a small model the graph is much.
    number = sum(parameter.numel() for parameter in detector.parameters())
    assert sizes[0] - sizes[1] > 1.8 * number
    assert 'float16' in check_export(path, detector)
    torch.testing.assert_close(*found, atol=0.05, rtol=0)
    assert found[0].max() > 0.1


def test_check_notices_other_weights(build_detector, tmp_path):
    detector = build_detector('solo')
    path = write(detector, tmp_path / 'model.pt2', 'torch-export', ExportSettings(size=(96, 128)))
    assert 'runs' in check_export(path, detector)
    for parameter in detector.parameters():
        parameter.mul_(1.2)
    with pytest.raises(UserError, match='do not use it'):
        check_export(path, detector)


def test_a_detector_is_left_as_it_was(build_detector, tmp_path):
    detector = build_detector('solo')
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    settings = ExportSettings(size=(96, 128), half=True)
    write(detector, tmp_path / 'model.pt2', 'torch-export', settings)
    after = detector.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert all(value.dtype == after[name].dtype for name, value in before.items())


@pytest.mark.parametrize(
    ('settings', 'complaint'),
    [
        (dict(size=(100, 128)), '--size 100 128: .*multiples of 32, such as --size 96 128'),
        (dict(size=(0, 128)), 'multiples of 32'),
        (dict(size=(96, 128), dynamic=True), 'contradict'),
        (dict(num_candidates=0), 'at least 1'),
    ],
)
def test_settings_are_checked(settings, complaint):
    with pytest.raises(UserError, match=complaint):
        ExportSettings(**settings)


def test_the_size_is_that_of_the_test_pipeline(build_detector, tmp_path):
    detector = build_detector('solo')
    path = write(detector, tmp_path / 'model.pt2', 'torch-export', ExportSettings())
    assert load_detector(path).metadata.size == (96, 128)
    detector.cfg.test_pipeline[1] = dict(type='Resize', scale_factor=0.5)
    path = write(detector, tmp_path / 'model.pt2', 'torch-export', ExportSettings())
    assert load_detector(path).metadata.size is None
