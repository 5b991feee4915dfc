"""What PaddleDetection computes, on paddle 3.3.1, with the same weights on one COCO image.

The image and the numbers are in `../shared/paddle`, whose README says how they are stored.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask
from torch import Tensor

from mmdet.engine.config import read_config
from mmdet.models.postprocess import point_nms
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from tests.conftest import REPO
from tests.models.heads.reference.shared_weights import fill_of

CASES = dict(
    r50='solov2_r50_fpn_paddle-1x_coco',
    r50_enhance='solov2-light_r50-vd-dcn_fpn_ms-3x_coco',
    r101_vd='solov2_r101-vd-dcn_fpn_ms-3x_coco',
)


def config_of(case: str) -> dict:
    return read_config(str(REPO / f'configs/solov2/{CASES[case]}.py')).model


class Case:
    """A model with the weights filled in, and what it gives for the image."""

    def __init__(self, name: str, shared: Path) -> None:
        self.arrays = np.load(shared / f'paddle/{name}.npz')
        self.model = MODELS.build(config_of(name)).eval()
        state = self.model.state_dict()
        fill_of(shared)(state)
        for key, value in state.items():
            if 'conv_offset' in key:
                value.mul_(0.1)
        image = torch.from_numpy(self.arrays['image'])
        size = tuple(image.shape[-2:])
        sample = DetDataSample(
            metainfo=dict(img_shape=size, ori_shape=size, batch_input_shape=size)
        )
        with torch.no_grad():
            self.levels = self.model.extract_feat(image)
            head = self.model.mask_head
            self.outputs = head(self.levels)
            (self.mask_feature,) = head.mask_feature(self.outputs)
            self.kernels = head.kernels(self.outputs, {i: [0] for i in range(len(self.levels))})
            (self.found,) = head.predict(self.levels, [sample])


@pytest.fixture(scope='module', params=['r50', 'r50_enhance'])
def case(request, shared) -> Case:
    return Case(request.param, shared)


@pytest.mark.parametrize('name', CASES)
def test_parameters_are_those_of_paddles_list(shared, name):
    listed = json.loads((shared / f'paddle/{name}.json').read_text())['parameters']
    with torch.device('meta'):
        state = MODELS.build(config_of(name)).state_dict()
    ours = {key: list(value.shape) for key, value in state.items() if 'num_batches' not in key}
    assert ours == dict(listed.values())


def assert_near(corner: np.ndarray, of: Tensor) -> None:
    """Compare the first channels, rows and columns of a (C, H, W) feature."""
    channels, rows, columns = corner.shape
    ours = of[:channels, :rows, :columns].numpy()
    assert np.abs(ours - corner).max() < 3e-6 * of.abs().max().item()


def test_features(case):
    features = {f'fpn{i}': level[0] for i, level in enumerate(case.levels)}
    features['seg'] = case.mask_feature
    for name, feature in features.items():
        assert feature.abs().mean().item() == pytest.approx(case.arrays[f'{name}_mean_abs'], 1e-6)
        assert_near(case.arrays[f'{name}_corner'][0], of=feature)
    for i, (of_image,) in enumerate(case.kernels):
        num_grid = case.model.mask_head.num_grids[i]
        assert_near(case.arrays[f'kernel{i}_corner'][0], of=of_image.T.unflatten(1, (num_grid, -1)))


def test_category_scores(case):
    for i, logits in enumerate(case.outputs.cls_preds):
        scores = logits[0].sigmoid()
        ours, expected = (
            point_nms(scores),
            torch.from_numpy(case.arrays[f'cate{i}'][0]).permute(2, 0, 1),
        )
        assert (scores - expected)[expected > 0].abs().max() < 3e-6
        # Of two neighbours that are as high but for rounding either may stay.
        assert ((ours > 0) != (expected > 0)).float().mean() < 1e-4


def test_instances(case):
    scores = np.sort(case.found.scores.numpy())[::-1]
    # Some are 3.3e-6 off R50's with our model in double precision, too.
    assert np.abs(scores - case.arrays['scores']).max() < 5e-6
    count, height, width = case.arrays['mask_shape']
    bitmaps = np.unpackbits(case.arrays['masks_packed'], axis=1, count=height * width)
    bitmaps = bitmaps.reshape(count, height, width).transpose(1, 2, 0)
    iou = coco_mask.iou(
        case.found.masks.rles, coco_mask.encode(np.asfortranarray(bitmaps)), [0] * count
    )
    same_class = case.found.labels.numpy()[:, None] == case.arrays['labels']
    assert np.mean((iou * same_class).max(0) >= 0.999) == 1
