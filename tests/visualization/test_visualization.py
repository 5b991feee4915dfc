import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from pycocotools import mask as coco_mask

from mmdet.structures import BitmapMasks, RLEMasks
from mmdet.visualization import DetLocalVisualizer, distinct_colors, draw_instances
from mmdet.visualization.curves import draw_curves
from tests.samples import rectangle, sample_of

RED, BLUE = (255, 0, 0), (0, 0, 255)


def test_masks_are_tinted_and_nothing_else_is():
    image = np.full((60, 80, 3), 100, np.uint8)
    mask = rectangle(60, 80, (10, 10, 40, 30))
    drawn = draw_instances(image, mask[None], [''], [RED], alpha=0.5)
    assert drawn[20, 20].tolist() == [178, 50, 50]
    assert drawn[50, 70].tolist() == [100, 100, 100]
    assert (image == 100).all()


def test_later_masks_are_above_and_captions_are_written():
    image = np.zeros((60, 80, 3), np.uint8)
    masks = np.stack([rectangle(60, 80, (0, 0, 80, 60))] * 2)
    plain = draw_instances(image, masks, ['', ''], [RED, BLUE], alpha=1.0)
    assert plain[20, 20].tolist() == list(BLUE)
    captioned = draw_instances(image, masks, ['', 'name'], [RED, BLUE], alpha=1.0)
    assert (captioned.min(-1) > 100).any()  # white, smoothed


def test_no_instances_and_an_empty_mask():
    image = np.zeros((60, 80, 3), np.uint8)
    assert (draw_instances(image, np.zeros((0, 60, 80)), [], []) == 0).all()
    assert (draw_instances(image, np.zeros((1, 60, 80)), ['x'], [RED]) == 0).all()


def test_colours_differ():
    colors = distinct_colors(80)
    assert len(set(colors)) == 80
    assert all(0 <= part <= 255 for color in colors for part in color)


@pytest.mark.parametrize('scale', [1, 2], ids=['annotations as in the file', 'and resized'])
def test_annotation_and_prediction_side_by_side(tmp_path, scale):
    visualizer = DetLocalVisualizer()
    visualizer.dataset_meta = dict(classes=('a', 'b'))
    box = (8, 8, 40, 40)
    sample = sample_of([tuple(scale * side for side in box)], shape=(96 * scale, 128 * scale))
    sample.set_metainfo(dict(ori_shape=(96, 128)))
    rles = coco_mask.encode(np.asfortranarray(rectangle(96, 128, (60, 50, 100, 90))[..., None]))
    sample.pred_instances = InstanceData(
        scores=torch.tensor([0.9, 0.1]),
        labels=torch.tensor([1, 0]),
        masks=RLEMasks([*rles, *rles], 96, 128),
    )
    out = tmp_path / 'new' / 'a.png'
    image = np.zeros((96, 128, 3), np.uint8)
    visualizer.add_datasample('a', image, sample, out_file=str(out), pred_score_thr=0.3)
    picture = cv2.imread(str(out))
    assert picture.shape == (96, 256, 3)
    left, right = picture[:, :128].any(-1), picture[:, 128:].any(-1)
    assert left[10:14, 10:38].all() and not left[60:, 60:].any()
    assert right[52:56, 62:98].all() and not right[:40, :40].any()


def test_curves(tmp_path):
    path = tmp_path / 'curves.png'
    draw_curves(path, dict(loss=np.linspace(3, 1, 500)), dict(AP=[0.1, 0.2]), [250, 500])
    picture = cv2.imread(str(path))
    assert picture.std() > 5
    draw_curves(path, {}, {}, [])  # before the first iteration and validation
    assert cv2.imread(str(path)).shape == picture.shape


def test_masks_that_are_resized_stay_binary():
    masks = BitmapMasks(rectangle(96, 128, (8, 8, 40, 40))[None], 96, 128).resize((50, 61))
    assert set(np.unique(masks.masks)) == {0, 1}
