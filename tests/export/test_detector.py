"""A file in a detector's place: what it does with images, and with what is no such file."""

import json

import numpy as np
import pytest
import torch

from mmdet.apis import load_detector, predict
from mmdet.errors import UserError
from mmdet.export import ExportedDetector, ExportSettings, export_detector
from mmdet.export.runtimes import METADATA_FILE
from mmdet.structures import DetDataSample

SIZE = (64, 96)


class Brightest(torch.nn.Module):
    """In the place of a network: its only mask is where the image is bright."""

    def forward(self, image):
        bright = (image[:, :, 1::4, 1::4].mean(1) > 200).float()
        return torch.tensor([0.9, 0.0]), torch.tensor([1, -1]), bright.repeat(2, 1, 1), bright.sum()


@pytest.fixture(scope='module')
def path(build_detector, tmp_path_factory):
    detector = build_detector('solo')
    path = tmp_path_factory.mktemp('file') / 'model.pt2'
    settings = ExportSettings(size=SIZE)
    export_detector(
        detector,
        detector.cfg,
        dict(classes=('a', 'b', 'c'), palette=[(1, 2, 3)] * 3),
        path,
        format='torch-export',
        settings=settings,
    )
    return str(path)


@pytest.fixture(scope='module')
def bright_path(path, tmp_path_factory):
    """The same file with `Brightest` inside."""
    extra = {METADATA_FILE: ''}
    torch.export.load(path, extra_files=extra)
    program = torch.export.export(Brightest(), (torch.zeros(1, 3, *SIZE),))
    out = tmp_path_factory.mktemp('file') / 'bright.pt2'
    torch.export.save(program, out, extra_files=extra)
    return str(out)


def found_in(path, image, ori_shape):
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    sample = DetDataSample(metainfo=dict(img_shape=image.shape[:2], ori_shape=ori_shape))
    model = load_detector(path)
    (result,) = model.test_step(dict(inputs=[tensor], data_samples=[sample]))
    return result


@pytest.mark.parametrize(
    ('shape', 'ori_shape'),
    [((64, 96), (64, 96)), ((40, 60), (80, 120)), ((128, 96), (256, 192)), ((96, 300), (96, 300))],
)
def test_masks_lie_where_they_did_whatever_the_size(bright_path, shape, ori_shape):
    """The lower right quarter is bright."""
    image = np.zeros((*shape, 3), np.uint8)
    image[shape[0] // 2 :, shape[1] // 2 :] = 255
    result = found_in(bright_path, image, ori_shape)
    assert result.pred_instances.labels.tolist() == [1]
    (mask,) = result.pred_instances.masks.to_ndarray().astype(bool)
    assert mask.shape == ori_shape
    expected = np.zeros(ori_shape, bool)
    expected[ori_shape[0] // 2 :, ori_shape[1] // 2 :] = True
    assert (mask & expected).sum() / (mask | expected).sum() > 0.75
    assert max(result.img_shape[0] - SIZE[0], result.img_shape[1] - SIZE[1]) <= 0


def test_a_file_is_taken_as_a_checkpoint_is(path):
    model = load_detector(path, palette='random')
    assert isinstance(model, ExportedDetector)
    assert model.dataset_meta['classes'] == ('a', 'b', 'c')
    assert len(model.dataset_meta['palette']) == 3
    assert load_detector(path).dataset_meta['palette'] == [(1, 2, 3)] * 3
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    (prediction,) = predict(path, image)
    assert len(prediction) > 0
    assert prediction.masks.shape[1:] == (50, 70)
    with pytest.raises(UserError, match='everything is settled'):
        load_detector(path, cfg_options={'model.test_cfg.score_thr': 0.5})


def test_it_predicts_only(path):
    with pytest.raises(UserError, match='cannot be trained'):
        load_detector(path).forward([], [], mode='loss')


def test_more_candidates_than_are_drawn_are_said_once(path, monkeypatch):
    said = []
    monkeypatch.setattr(
        'mmdet.export.detector.print_log', lambda message, **more: said.append(message)
    )
    model = load_detector(path)
    outputs = model.run(torch.zeros(1, 3, *SIZE))
    model.run = lambda image: {**outputs, 'num_above': torch.tensor(10**6)}
    sample = DetDataSample(metainfo=dict(img_shape=SIZE, ori_shape=SIZE))
    for _ in range(2):
        model.test_step(
            dict(inputs=[torch.zeros(3, *SIZE, dtype=torch.uint8)], data_samples=[sample])
        )
    assert len(said) == 1
    assert '--candidates' in said[0]


def test_files_that_are_none(path, tmp_path):
    with pytest.raises(UserError, match=r'nothing.pt2 does not exist'):
        load_detector(tmp_path / 'nothing.pt2')
    broken = tmp_path / 'broken.pt2'
    broken.write_bytes(b'no zip')
    with pytest.raises(UserError, match=r'cannot load .*broken.pt2'):
        load_detector(broken)
    other = tmp_path / 'other.pt2'
    program = torch.export.export(torch.nn.ReLU(), (torch.zeros(2),))
    torch.export.save(program, other, extra_files={METADATA_FILE: json.dumps({'classes': '[]'})})
    with pytest.raises(UserError, match=r'is not a file of tools/deployment/export.py'):
        load_detector(other)


def test_a_file_in_which_classes_were_changed(bright_path, tmp_path):
    extra = {METADATA_FILE: ''}
    program = torch.export.load(bright_path, extra_files=extra)
    changed = json.dumps({**json.loads(extra[METADATA_FILE]), 'classes': '["a", "b"]'})
    other = tmp_path / 'other.pt2'
    torch.export.save(program, other, extra_files={METADATA_FILE: changed})
    with pytest.raises(UserError, match='the model has 3 classes, but 2 are named'):
        load_detector(other)


def test_onnx_files_that_are_none(tmp_path):
    onnx = pytest.importorskip('onnx')
    pytest.importorskip('onnxruntime')
    broken = tmp_path / 'broken.onnx'
    broken.write_bytes(b'no graph')
    with pytest.raises(UserError, match=r'onnxruntime .* cannot load .*broken.onnx'):
        load_detector(broken)
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node('Relu', ['x'], ['y'])],
        'other',
        [value('x', onnx.TensorProto.FLOAT, [1])],
        [value('y', onnx.TensorProto.FLOAT, [1])],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid('', 18)], ir_version=9
    )
    other = tmp_path / 'other.onnx'
    onnx.save(model, other)
    with pytest.raises(UserError, match=r'other.onnx is not a file of .* lacks producer'):
        load_detector(other)
