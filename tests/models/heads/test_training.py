"""Every head learns, with an image without objects in each batch."""

import pytest
import torch
from mmengine.dataset import pseudo_collate

from mmdet.datasets import ShapesDataset
from mmdet.registry import MODELS
from tests.samples import HEADS


@pytest.fixture(scope='module')
def batch(shapes_root) -> dict:
    """Three images with objects, one without."""
    dataset = ShapesDataset(
        data_root=str(shapes_root),
        ann_file='annotations/instances_train2017.json',
        data_prefix=dict(img='train2017/'),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
            dict(type='Resize', scale=(96, 96), keep_ratio=True),
            dict(type='PackDetInputs'),
        ],
    )
    items = [dataset[index] for index in range(4)]
    emptied = items[0]['data_samples']
    emptied.gt_instances = emptied.gt_instances[torch.zeros(0, dtype=torch.long)]
    assert all(len(item['data_samples'].gt_instances) for item in items[1:])
    return pseudo_collate(items)


@pytest.mark.parametrize('kind', HEADS)
def test_thirty_steps(kind, tiny_model, batch):
    tiny_model['mask_head'] |= HEADS[kind] | dict(num_classes=8)
    tiny_model['mask_head']['init_cfg'] = [
        dict(type='Kaiming', layer='Conv2d'),
        dict(type='Normal', std=0.01, bias_prob=0.01, override=dict(name='conv_cls')),
    ]
    model = MODELS.build(tiny_model)
    model.init_weights()
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        found = model(**model.data_preprocessor(batch, training=True), mode='loss')
        sum(found.values()).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
        optimizer.step()
        losses.append([value.item() for value in found.values()])
    first, last = (torch.tensor(part).mean(0) for part in (losses[:5], losses[-5:]))
    assert (last < 0.9 * first).all(), (first, last)
