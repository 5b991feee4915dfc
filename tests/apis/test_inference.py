"""From pictures to instances, as scripts for mmdetection ask for it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmdet.apis import infer, inference_detector, inference_pipeline, init_detector
from mmdet.apis.detector import Detector
from mmdet.errors import UserError
from mmdet.structures import DetDataSample
from tests.apis.videos import scene, write_pictures


@pytest.fixture
def model(config, checkpoint) -> Detector:
    return init_detector(config, checkpoint, device='cpu')


def assert_same(one: DetDataSample, other: DetDataSample) -> None:
    one, other = one.pred_instances, other.pred_instances
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_allclose(one.scores, other.scores, atol=1e-6)
    # The last digits of a convolution depend on the batch, and so a pixel at the threshold.
    assert (np.asarray(one.masks) != np.asarray(other.masks)).mean() < 1e-3


# --- what is returned ---------------------------------------------------------------------------


def test_a_script_for_mmdetection(config, checkpoint, tmp_path):
    """Word for word what such scripts do, but for the names of files."""
    import mmcv
    from mmcv.transforms import Compose

    from mmdet.apis import inference_detector, init_detector
    from mmdet.registry import VISUALIZERS
    from mmdet.utils import register_all_modules

    config_file, checkpoint_file = str(config), str(checkpoint)
    (picture,) = write_pictures(tmp_path, ['demo.jpg'])
    out_file = str(tmp_path / 'result.jpg')

    register_all_modules()
    model = init_detector(config_file, checkpoint_file, device='cpu')
    visualizer = VISUALIZERS.build(model.cfg.visualizer)
    visualizer.dataset_meta = model.dataset_meta

    image = mmcv.imread(picture, channel_order='rgb')
    result = inference_detector(model, picture)
    visualizer.add_datasample(
        'result',
        image,
        data_sample=result,
        draw_gt=False,
        wait_time=0,
        out_file=out_file,
        pred_score_thr=0.0,
    )
    assert (mmcv.imread(out_file) != mmcv.imread(picture)).mean() > 0.1

    masks = result.pred_instances.masks.cpu().numpy()
    boxes = result.pred_instances.bboxes.cpu().numpy()
    scores = result.pred_instances.scores.cpu().numpy()
    assert masks.shape == (5, 96, 128) and masks.dtype == bool
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        rows, columns = mask.nonzero()
        assert (columns.min(), rows.min()) == (x1, y1)
        assert (columns.max() + 1, rows.max() + 1) == (x2, y2)
    assert (np.diff(scores) <= 0).all()
    names = [model.dataset_meta['classes'][label] for label in result.pred_instances.labels]
    assert set(names) <= {'a', 'b', 'c'}
    keep = result.pred_instances[result.pred_instances.scores > scores[2]]
    assert len(keep.masks) == len(keep) == 2
    result.pred_instances.labels += 1  # as offsets of data sets are applied

    # A video's frames
    model.cfg.test_dataloader.dataset.pipeline[0].type = 'mmdet.LoadImageFromNDArray'
    test_pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
    frame = mmcv.imread(picture)
    in_video = inference_detector(model, frame, test_pipeline=test_pipeline)
    np.testing.assert_array_equal(in_video.pred_instances.masks, masks)


def test_what_pictures_may_be(model, tmp_path):
    (path,) = write_pictures(tmp_path, ['a.png'])
    wanted = inference_detector(model, scene(0))
    assert wanted.img_path is None
    for given in (path, Path(path)):
        found = inference_detector(model, given)
        assert_same(found, wanted)
        assert found.img_path == path
    for given in ([path, scene(0)], (scene(0), Path(path))):
        found = inference_detector(model, given)
        assert isinstance(found, list) and len(found) == 2
        for sample in found:
            assert_same(sample, wanted)
    assert inference_detector(model, []) == []


def test_nothing_found(config):
    model = init_detector(config, device='cpu', cfg_options={'model.test_cfg.score_thr': 1.0})
    found = inference_detector(model, scene(0)).pred_instances
    assert found.masks.shape == (0, 96, 128) and found.masks.dtype == torch.bool
    assert found.bboxes.shape == (0, 4) and found.scores.shape == found.labels.shape == (0,)
    assert found.labels.dtype == torch.long


def test_a_batch_is_its_pictures_one_by_one(model):
    sizes = [(96, 128), (96, 128), (64, 128), (96, 128), (128, 96)]
    pictures = [scene(n, size=size) for n, size in enumerate(sizes)]
    pipeline = inference_pipeline(model.cfg)
    together = infer(model, pictures, pipeline)
    for picture, sample in zip(pictures, together, strict=True):
        (alone,) = infer(model, [picture], pipeline)
        assert sample.ori_shape == picture.shape[:2]
        sample.pred_instances.masks = sample.pred_instances.masks.to_ndarray()
        alone.pred_instances.masks = alone.pred_instances.masks.to_ndarray()
        assert_same(sample, alone)


def test_a_model_in_training_mode(model):
    wanted = inference_detector(model, scene(0))
    model.backbone.norm_eval = False
    model.train()
    model.backbone.layer1.eval()  # as some freeze a part
    before = {name: module.training for name, module in model.named_modules()}
    assert before['backbone.layer2.0.bn1'] and not before['backbone.layer1.0.bn1']
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    assert_same(inference_detector(model, scene(0)), wanted)
    assert {name: module.training for name, module in model.named_modules()} == before
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, weights[name], rtol=0, atol=0)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    'array',
    [
        np.zeros((96, 128), np.uint8),
        np.zeros((96, 128, 1), np.uint8),
        np.zeros((96, 128, 4), np.uint8),
        np.zeros((96, 128, 3), np.float32),
        np.zeros((3, 96, 128), np.uint8),
        np.zeros((0, 128, 3), np.uint8),
    ],
    ids=lambda array: f'{array.shape} {array.dtype}',
)
def test_an_array_that_is_no_picture(model, array):
    with pytest.raises(UserError, match=r'an array of shape .* is no picture: it takes'):
        inference_detector(model, array)


@pytest.mark.parametrize('image', [None, b'\xff\xd8', torch.zeros(96, 128, 3), 3])
def test_what_is_no_picture(model, image):
    with pytest.raises(UserError, match='is no image: give a path'):
        inference_detector(model, [image])


def test_a_picture_that_is_missing_or_broken(model, tmp_path):
    (tmp_path / 'broken.jpg').write_bytes(cv2.imencode('.jpg', scene(0))[1].tobytes()[:50])
    for name in ('no.jpg', 'broken.jpg'):
        with pytest.raises(UserError, match=name):
            inference_detector(model, [scene(0), tmp_path / name])


# --- the pipeline -------------------------------------------------------------------------------


def test_a_config_without_a_test_pipeline(settings):
    cfg = Config(dict(model=settings['model']))
    with pytest.raises(UserError, match='the config has no test pipeline: set test_dataloader'):
        inference_detector(init_detector(cfg, device='cpu'), scene(0))


@pytest.mark.parametrize('place', ['test_dataloader', 'val_dataloader', 'wrapped', 'test_pipeline'])
def test_where_the_pipeline_is(settings, place):
    loader = settings.pop('test_dataloader')
    settings.pop('train_dataloader')
    steps = loader['dataset']['pipeline']
    settings |= {
        'test_dataloader': dict(test_dataloader=loader),
        'val_dataloader': dict(val_dataloader=loader),
        'wrapped': dict(test_dataloader=dict(dataset=dict(type='X', dataset=loader['dataset']))),
        'test_pipeline': dict(test_pipeline=steps),
    }[place]
    pipeline = inference_pipeline(Config(settings))
    assert pipeline(scene(0))['inputs'].shape == (3, 96, 128)
    assert steps[0]['type'] == 'LoadImageFromFile'  # left as it was


def test_a_pipeline_that_leaves_a_picture_out(model):
    with pytest.raises(UserError, match='leaves an array out'):
        inference_detector(model, scene(0), test_pipeline=lambda item: None)


def test_a_broken_picture_is_not_skipped(settings, tmp_path):
    settings['test_dataloader']['dataset']['pipeline'][0]['ignore_empty'] = True
    with pytest.raises(UserError, match=r'no\.jpg does not exist'):
        inference_detector(init_detector(Config(settings), device='cpu'), tmp_path / 'no.jpg')


# --- supervision --------------------------------------------------------------------------------


@pytest.mark.parametrize('score_thr', [0.0, 1.0])
def test_supervision_reads_a_result(config, score_thr):
    supervision = pytest.importorskip('supervision')
    options = {'model.test_cfg.score_thr': score_thr}
    model = init_detector(config, device='cpu', cfg_options=options)
    result = inference_detector(model, scene(0))
    found = supervision.Detections.from_mmdetection(result)
    assert len(found) == (0 if score_thr else 5)
    np.testing.assert_array_equal(found.mask, result.pred_instances.masks)
    np.testing.assert_array_equal(found.xyxy, result.pred_instances.bboxes)
    drawn = supervision.MaskAnnotator().annotate(scene(0), found)
    assert np.array_equal(drawn, scene(0)) == bool(score_thr)
