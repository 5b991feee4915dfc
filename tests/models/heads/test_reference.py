"""What mmdet 3.3 computes, to the digits that its own thread counts agree on.

The cases in `reference/` are small, and hold what implementations differ in: see `scene.py` there.
Those in `../shared/reference`, where it is present, are larger, and on photographs.
"""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from pycocotools import mask as coco_mask

from mmdet.registry import MODELS
from mmdet.structures import BitmapMasks, DetDataSample
from tests.models.heads.reference import weights
from tests.models.heads.reference.shared_weights import fill_of

OURS = Path(__file__).parent / 'reference'
CASES = ['solo', 'decoupled_solo', 'decoupled_solo_light', 'solov2', 'solov2_light']


class Case:
    """One reference case: its model with the weights filled in, its batch, its numbers."""

    def __init__(self, folder: Path, name: str, fill: Callable[[dict], None]) -> None:
        self.expected = json.loads((folder / f'{name}.json').read_text())
        self.arrays = np.load(folder / f'{name}.npz')
        self.model = MODELS.build(self.expected['model'])
        fill(self.model.state_dict())
        self.samples = [self._sample(i, info) for i, info in enumerate(self.expected['images'])]
        self.batch = self.batch_of(slice(None))

    def batch_of(self, images: slice) -> dict:
        """Return some of the images as the preprocessor gives them to the model."""
        arrays = [self.arrays[f'img{i}_uint8_bgr'] for i in range(len(self.samples))]
        data = dict(
            inputs=[torch.from_numpy(array) for array in arrays[images]],
            data_samples=copy.deepcopy(self.samples[images]),
        )
        return self.model.data_preprocessor(data, True)

    def _sample(self, index: int, info: dict) -> DetDataSample:
        height, width = info['img_shape']
        packed = self.arrays[f'img{index}_gt_masks_packed']
        bitmaps = np.unpackbits(packed, axis=1, count=height * width)
        sample = DetDataSample(
            metainfo=dict(img_shape=(height, width), ori_shape=tuple(info['ori_shape']))
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.from_numpy(self.arrays[f'img{index}_gt_bboxes']).float(),
            labels=torch.from_numpy(self.arrays[f'img{index}_gt_labels']).long(),
            masks=BitmapMasks(bitmaps, height, width).pack(),
        )
        return sample


@pytest.fixture(scope='module', params=CASES)
def our_case(request) -> Case:
    return Case(OURS, request.param, weights.fill)


@pytest.fixture(scope='module', params=[*CASES, *(f'shared/{name}_r18' for name in CASES)])
def case(request) -> Case:
    name = request.param.removeprefix('shared/')
    if name == request.param:
        return Case(OURS, name, weights.fill)
    shared = request.getfixturevalue('shared')
    return Case(shared / 'reference', name, fill_of(shared))


def test_parameters_have_mmdets_names_and_shapes(case):
    ours = {name: list(value.shape) for name, value in case.model.state_dict().items()}
    assert ours == case.expected['parameters']


def test_the_batch_is_padded_as_mmdets(case):
    assert list(case.batch['inputs'].shape) == case.arrays['batch_shape'].tolist()


def test_pyramid(case):
    model = case.model.eval()
    with torch.no_grad():
        levels = model.extract_feat(case.batch['inputs'])
    for index, level in enumerate(levels):
        mean = case.arrays[f'fpn{index}_mean_abs']
        np.testing.assert_allclose(level.abs().mean().item(), mean, rtol=1e-4)
        corner = case.arrays[f'fpn{index}_corner']
        np.testing.assert_allclose(level[:, :4, :3, :3].numpy(), corner, rtol=1e-3, atol=1e-4)


def test_positives(case):
    head = case.model.mask_head
    targets = head.targets(case.batch['data_samples'])
    labels = targets.labels.split([num_grid**2 for num_grid in head.num_grids], dim=1)
    ours = []
    for level, claims in enumerate(targets.learnt):
        areas = targets.masks[head.mask_strides[level]][claims.instances].sum((1, 2)).tolist()
        claimed = [(image, cell) for image, cells in enumerate(claims.cells) for cell in cells]
        for (image, cell), area in zip(claimed, areas, strict=True):
            # The cell's label, which in SOLOv2 need not be that of the instance.
            label = labels[level][image, cell].item()
            ours.append([image, level, cell.item(), label, area])
    expected = case.arrays['positives_img_level_cell_label_area'].tolist()
    assert sorted(ours) == sorted(expected)


def test_losses(case):
    with torch.no_grad():
        losses = case.model.train()(**case.batch, mode='loss')
    for name, value in case.expected['losses'].items():
        assert losses[name].item() == pytest.approx(value, rel=1e-4), name


def test_losses_without_instances(our_case):
    with torch.no_grad():
        losses = our_case.model.train()(**our_case.batch_of(slice(1, 2)), mode='loss')
    for name, value in our_case.expected['losses_without_instances'].items():
        assert losses[name].item() == pytest.approx(value, rel=1e-4), name


def test_gradients(case):
    """In double precision: in single, one ReLU near zero that falls to the other side, as it may
    with another number of threads, moves the norms of a layer by up to 5e-3.
    """
    model = copy.deepcopy(case.model).train().double()
    batch = {**case.batch, 'inputs': case.batch['inputs'].double()}
    sum(model(**batch, mode='loss').values()).backward()
    norms = {
        name: parameter.grad.norm().item()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    assert norms == pytest.approx(case.expected['grad_norms'], rel=1e-3, abs=1e-9)


def test_predictions(case):
    model = case.model.eval()
    with torch.no_grad():
        results = model(**case.batch, mode='predict')
    matched = []
    for result, expected in zip(results, case.expected['predictions'], strict=True):
        found = result.pred_instances
        assert sorted(found.scores.tolist()) == pytest.approx(sorted(expected['scores']), abs=1e-3)
        iou = coco_mask.iou(found.masks.rles, expected['rles'], [0] * len(expected['rles']))
        # What lies in the padding alone leaves an empty mask, in both.
        areas = [coco_mask.area(rles) for rles in (found.masks.rles, expected['rles'])]
        iou += (areas[0][:, None] == 0) & (areas[1] == 0)
        same_class = found.labels.numpy()[:, None] == np.array(expected['labels'])
        matched.extend((iou * same_class).max(0) >= 0.98)
    assert np.mean(matched) >= 0.97
