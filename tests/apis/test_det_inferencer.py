"""mmdetection's inferencer: what it takes, returns and writes."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from pycocotools import mask as coco_mask

from mmdet.apis import DetInferencer, inference_detector
from mmdet.errors import UserError
from tests.apis.videos import scene, write_pictures


@pytest.fixture
def inferencer(checkpoint) -> DetInferencer:
    return DetInferencer(str(checkpoint), device='cpu', show_progress=False)


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file()}


# --- the model ----------------------------------------------------------------------------------


def test_what_a_model_may_be(config, checkpoint, settings):
    picture = scene(0)
    wanted = DetInferencer(config, checkpoint, 'cpu')(picture)['predictions']
    assert len(wanted[0]['scores']) == 5
    for given in (
        dict(model=str(config), weights=str(checkpoint)),
        dict(model=Config.fromfile(config), weights=checkpoint),
        dict(model=settings, weights=checkpoint),
        dict(model=checkpoint),
        dict(weights=str(checkpoint)),
    ):
        found = DetInferencer(**given, device='cpu', show_progress=False)
        assert found(picture)['predictions'] == wanted
        assert found.cfg.model.mask_head.num_classes == 3
        assert found.model.dataset_meta['classes'] == ('a', 'b', 'c')


def test_a_shipped_config_by_its_name():
    found = DetInferencer('solo_r18_fpn_shapes-cpu', device='cpu', palette='voc')
    assert found.visualizer.dataset_meta['classes'][0] == 'ellipse'
    assert found.visualizer.dataset_meta['palette'][0] == (128, 0, 0)


@pytest.mark.parametrize(
    ('given', 'said'),
    [
        (dict(), 'needs a model, weights, or both'),
        (dict(model='a.pth', weights='b.pth'), 'two checkpoints are named'),
        (dict(model='no.pth'), 'no.pth'),
        (dict(model='solo_r50_fpn'), 'no such config file: solo_r50_fpn'),
        (dict(model='solo_r50_fpn_1x_coco', scope='mmseg'), "'mmdet' only, not of 'mmseg'"),
    ],
)
def test_a_model_that_is_none(given, said):
    with pytest.raises(UserError, match=said):
        DetInferencer(**given, device='cpu')


def test_the_names_of_models():
    assert 'solov2_r50_fpn_1x_coco' in DetInferencer.list_models()
    assert DetInferencer.list_models(patterns='decoupled-solo_r50.*1x') == [
        'decoupled-solo_r50_fpn_1x_coco'
    ]
    with pytest.raises(UserError, match="'mmdet' only"):
        DetInferencer.list_models('mmseg')


# --- inputs and results -------------------------------------------------------------------------


def test_a_result_is_ready_for_json(inferencer):
    picture = scene(0)
    (found,) = json.loads(json.dumps(inferencer(picture)['predictions']))
    sample = inference_detector(inferencer.model, picture)
    assert list(found) == ['labels', 'scores', 'bboxes', 'masks']
    np.testing.assert_allclose(found['scores'], sample.pred_instances.scores)
    assert found['labels'] == sample.pred_instances.labels.tolist()
    for box, rle, mask in zip(
        found['bboxes'], found['masks'], sample.pred_instances.masks, strict=True
    ):
        np.testing.assert_array_equal(coco_mask.decode(rle), mask)
        x, y, width, height = coco_mask.toBbox(rle)
        assert box == [x, y, x + width, y + height]


def test_kinds_of_inputs(inferencer, tmp_path):
    first, second = write_pictures(tmp_path / 'in', ['a.png', 'b.png'])
    (tmp_path / 'in' / 'notes.txt').touch()
    wanted = inferencer([scene(0), scene(1)])['predictions']
    for given in (
        [first, second],
        (Path(first), scene(1)),
        tmp_path / 'in',
        str(tmp_path / 'in'),
        [dict(img=scene(0)), dict(img_path=second)],
    ):
        assert inferencer(given)['predictions'] == wanted
    assert inferencer(first)['predictions'] == wanted[:1]
    assert inferencer([]) == dict(predictions=[], visualization=[])


def test_batches_change_nothing(inferencer):
    pictures = [scene(n, size=(96, 128) if n % 3 else (64, 128)) for n in range(7)]
    alone = inferencer(pictures)['predictions']
    together = inferencer(pictures, batch_size=4)['predictions']
    assert len(alone) == len(together) == 7
    for one, other in zip(alone, together, strict=True):
        assert one['labels'] == other['labels']
        np.testing.assert_allclose(one['scores'], other['scores'], atol=1e-6)


@pytest.mark.parametrize(
    ('given', 'said'),
    [
        ('no.jpg', 'no.jpg'),
        ('.', 'has no images'),
        ([np.zeros((4, 4), np.uint8)], r'shape \(4, 4\) and type uint8 is no picture'),
    ],
)
def test_an_input_that_is_none(inferencer, given, said, tmp_path, monkeypatch):
    (tmp_path / 'empty').mkdir()
    monkeypatch.chdir(tmp_path / 'empty')
    with pytest.raises(UserError, match=said):
        inferencer(given)
    with pytest.raises(UserError, match='batch_size is 0'):
        inferencer(scene(0), batch_size=0)
    with pytest.raises(UserError, match='it takes a whole number from 1'):
        inferencer(scene(0), batch_size=2.5)


def test_samples_are_those_of_inference_detector(inferencer):
    (sample,) = inferencer(scene(0), return_datasamples=True)['predictions']
    assert sample.pred_instances.masks.shape == (5, 96, 128)
    assert inferencer.postprocess([], None, return_datasample=True)['predictions'] == []


def test_printing(inferencer, capsys):
    inferencer(scene(0), print_result=True)
    assert "'predictions': [{'labels': [" in capsys.readouterr().out


# --- drawings and files -------------------------------------------------------------------------


def test_drawings(inferencer, tmp_path):
    (path,) = write_pictures(tmp_path, ['a.png'])
    result = inferencer([path, scene(0)], return_vis=True, pred_score_thr=0)
    from_file, from_array = result['visualization']
    np.testing.assert_array_equal(from_file, from_array)
    assert from_file.dtype == np.uint8 and not np.array_equal(from_file[..., ::-1], scene(0))
    (plain,) = inferencer(scene(0), return_vis=True, draw_pred=False)['visualization']
    np.testing.assert_array_equal(plain[..., ::-1], scene(0))  # RGB of BGR
    (strict,) = inferencer(scene(0), return_vis=True, pred_score_thr=1.1)['visualization']
    np.testing.assert_array_equal(strict, plain)
    assert inferencer(scene(0))['visualization'] == []


def test_a_window_waits_as_long_as_it_is_told(inferencer, monkeypatch):
    waited = []
    monkeypatch.setattr('mmdet.apis.det_inferencer.check_window', lambda: None)
    monkeypatch.setattr(
        inferencer.visualizer, 'show', lambda *_, wait_time, **__: waited.append(wait_time)
    )
    inferencer([scene(0), scene(1)], show=True, wait_time=0.5)
    assert waited == [0.5, 0.5]


def test_progress(checkpoint, inferencer, capsys):
    inferencer(scene(0))
    assert 'Inference' not in capsys.readouterr().out
    DetInferencer(str(checkpoint), device='cpu')(scene(0))
    assert 'Inference' in capsys.readouterr().out


def test_files(inferencer, tmp_path):
    write_pictures(tmp_path / 'in', ['a.png', 'b.jpg'])
    out = tmp_path / 'out'
    result = inferencer(tmp_path / 'in', out_dir=str(out), no_save_pred=False)
    assert files_of(out) == {'vis/a.png', 'vis/b.jpg', 'preds/a.json', 'preds/b.json'}
    assert json.loads((out / 'preds/b.json').read_text()) == result['predictions'][1]
    assert result['visualization'] == []


def test_files_of_arrays(inferencer, tmp_path):
    inferencer([scene(0), scene(1)], out_dir=str(tmp_path / 'out'), no_save_pred=False)
    assert files_of(tmp_path / 'out') == {
        *('vis/00000000.jpg', 'vis/00000001.jpg', 'preds/0.json', 'preds/1.json')
    }


def test_what_is_not_to_be_written(inferencer, tmp_path):
    inferencer(scene(0), out_dir=str(tmp_path / 'vis-only'))
    assert files_of(tmp_path / 'vis-only') == {'vis/00000000.jpg'}
    inferencer(scene(0), out_dir=str(tmp_path / 'none'), no_save_vis=True)
    assert not (tmp_path / 'none').exists()


def test_pictures_of_one_name_do_not_overwrite_each_other(inferencer, tmp_path):
    (first,) = write_pictures(tmp_path / '1', ['a.jpg'])
    (second,) = write_pictures(tmp_path / '2', ['a.jpg'])
    (third,) = write_pictures(tmp_path / '1', ['a.png'])
    out = tmp_path / 'out'
    for _ in range(2):
        result = inferencer([first, second, third], out_dir=str(out), no_save_pred=False)
        assert files_of(out) == {
            *('vis/a.jpg', 'vis/a_2.jpg', 'vis/a_3.png'),
            *('preds/a.json', 'preds/a_2.json', 'preds/a_3.json'),
        }
    assert json.loads((out / 'preds/a_3.json').read_text()) == result['predictions'][2]


def test_pictures_go_nowhere_else(settings, checkpoint, tmp_path):
    """A checkpoint's config might name a folder, or a server."""
    backend = dict(type='LocalVisBackend', save_dir=str(tmp_path / 'elsewhere'))
    settings['visualizer']['vis_backends'] = [backend]
    DetInferencer(settings, checkpoint, 'cpu')(scene(0), return_vis=True)
    assert not (tmp_path / 'elsewhere').exists()


def test_a_picture_that_cannot_be_written_as_it_was_read(inferencer, tmp_path):
    (path,) = write_pictures(tmp_path, ['a.png'])
    Path(path).rename(tmp_path / 'a')
    inferencer(str(tmp_path / 'a'), out_dir=str(tmp_path / 'out'))
    assert cv2.imread(str(tmp_path / 'out/vis/a.jpg')).shape == (96, 128, 3)


# --- a subclass, as it is written for mmdetection -----------------------------------------------


class Counting(DetInferencer):
    visualize_kwargs = DetInferencer.visualize_kwargs | {'title'}

    def preprocess(self, inputs, batch_size=1, **kwargs):
        self.batches = 0
        for originals, data in super().preprocess(inputs, batch_size, **kwargs):
            self.batches += 1
            yield originals, data

    def visualize(self, inputs, preds, title='', **kwargs):
        return [(title, len(pred.pred_instances)) for pred in preds]

    def pred2dict(self, data_sample, pred_out_dir=''):
        return dict(number=len(super().pred2dict(data_sample, pred_out_dir)['scores']))


def test_a_subclass(checkpoint):
    counting = Counting(weights=str(checkpoint), device='cpu', show_progress=False)
    result = counting([scene(0), scene(1), scene(2)], batch_size=2, title='x')
    assert counting.batches == 2
    assert result == dict(predictions=[dict(number=5)] * 3, visualization=[('x', 5)] * 3)
    with pytest.raises(ValueError, match='texts'):
        counting(scene(0), texts='a cat')
