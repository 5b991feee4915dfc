"""The whole detector on the batches that break detectors."""

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

from mmdet.models.postprocess import DecodeConfig
from mmdet.registry import MODELS
from tests.samples import HEADS, batch_of, sample_of


@pytest.fixture(params=HEADS)
def model(request, tiny_model):
    tiny_model['mask_head'] |= HEADS[request.param]
    model = MODELS.build(tiny_model)
    model.init_weights()
    return model


def losses_of(model, samples):
    model.train()
    losses = model(**model.data_preprocessor(batch_of(samples), True), mode='loss')
    sum(losses.values()).backward()
    grads = [p.grad for p in model.parameters() if p.requires_grad]
    assert all(grad is not None and grad.isfinite().all() for grad in grads)
    return losses


def test_empty_images(model):
    losses = losses_of(model, [sample_of([]), sample_of([])])
    assert losses['loss_mask'] == 0


def test_a_hundred_objects(model):
    rng = np.random.default_rng(0)
    corners = rng.integers(0, [100, 70], (100, 2))
    boxes = [(x, y, x + 8 + i % 20, y + 6 + i % 19) for i, (x, y) in enumerate(corners.tolist())]
    losses = losses_of(model, [sample_of(boxes, (rng.integers(0, 3, 100)).tolist())])
    assert losses['loss_mask'] > 0


def test_a_one_pixel_object(model):
    losses = losses_of(model, [sample_of([(50, 40, 51, 41)])])
    assert 0 < losses['loss_mask'] <= 3


def test_sizes_of_a_batch_may_differ(model):
    samples = [sample_of([(8, 8, 60, 60)], shape=(96, 128)), sample_of([], shape=(70, 50))]
    data = model.data_preprocessor(batch_of(samples), True)
    assert data['inputs'].shape == (2, 3, 96, 128)
    assert model(**data, mode='loss')['loss_mask'] > 0


def test_predictions_are_at_the_original_size_and_leave_the_samples_alone(model):
    sample = sample_of([], shape=(96, 128))
    sample.set_metainfo(dict(ori_shape=(150, 200)))
    data = model.eval().data_preprocessor(batch_of([sample]), False)
    with torch.no_grad():
        (result,) = model(**data, mode='predict')
    assert result.pred_instances.masks.to_ndarray().shape[1:] == (150, 200)
    assert 'pred_instances' not in data['data_samples'][0]


def test_an_image_alone_and_in_a_batch_gives_the_same(model):
    torch.manual_seed(1)
    for parameter in model.mask_head.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    # Low, so that products of two probabilities give masks.
    model.mask_head.decode_cfg = DecodeConfig(score_thr=0, filter_thr=0, mask_thr=0.2)
    batch = batch_of([sample_of([]), sample_of([])])
    model.eval()
    with torch.no_grad():
        both = model(**model.data_preprocessor(batch, False), mode='predict')
        alone = dict(inputs=batch['inputs'][1:], data_samples=batch['data_samples'][1:])
        (one,) = model(**model.data_preprocessor(alone, False), mode='predict')
    assert len(one.pred_instances) > 0
    torch.testing.assert_close(both[1].pred_instances.scores, one.pred_instances.scores)
    masks = [result.pred_instances.masks for result in (both[1], one)]
    # Batches of other sizes round differently.
    ious = coco_mask.iou(masks[0].rles, masks[1].rles, [0] * len(masks[1]))
    assert (ious.diagonal() > 0.99).all()


def test_bfloat16_trains(model):
    with torch.autocast('cpu', torch.bfloat16):
        losses = losses_of(model, [sample_of([(8, 8, 60, 60)]), sample_of([])])
    assert losses['loss_mask'].dtype == losses['loss_cls'].dtype == torch.float32


def test_an_unknown_mode_is_named(model):
    with pytest.raises(ValueError, match='mode'):
        model(torch.zeros(1, 3, 64, 64), mode='train')


def in_double(data: dict) -> dict:
    return {**data, 'inputs': data['inputs'].double()}


def test_another_device_gives_what_the_cpu_gives(model, other_device):
    """In double precision: in single, a pixel at a mask's edge that rounds to the other side, as it
    may on another processor, moves the score of its mask.
    """
    model = model.double()
    for parameter in model.mask_head.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.mask_head.decode_cfg = DecodeConfig(score_thr=0, filter_thr=0, mask_thr=0.2)
    batch = batch_of([sample_of([(8, 8, 60, 60), (20, 10, 90, 80)], [1, 2]), sample_of([])])
    results, scores, total_areas = [], [], []
    for device in (torch.device('cpu'), other_device):
        model.to(device).train().zero_grad()
        losses = model(**in_double(model.data_preprocessor(batch, True)), mode='loss')
        sum(losses.values()).backward()
        norms = [p.grad.norm().item() for p in model.parameters() if p.requires_grad]
        with torch.no_grad():
            data = in_double(model.eval().data_preprocessor(batch, False))
            found = model(**data, mode='predict')[0].pred_instances
        assert found.scores.device == found.labels.device == device
        losses = [value.item() for value in losses.values()]
        results.append((losses, norms))
        scores.append(found.scores.tolist())
        total_areas.append(found.masks.areas.sum())
    for on_cpu, on_other in zip(*results, strict=True):
        np.testing.assert_allclose(on_cpu, on_other, rtol=1e-3, atol=1e-5)
    assert len(scores[0]) > 0
    np.testing.assert_allclose(*scores, rtol=1e-3)
    assert total_areas[0] == total_areas[1]


def test_training_gives_back_what_the_network_and_the_losses_freed(tiny_model, monkeypatch):
    model = MODELS.build(tiny_model)
    given_back = []
    monkeypatch.setattr(
        'mmdet.models.detectors.solo.give_back_freed_memory',
        lambda finest: given_back.append(tuple(finest.shape[-2:])),
    )
    losses_of(model, [sample_of([(8, 8, 60, 60)], shape=(96, 128))])
    assert given_back == [(24, 32), (24, 32)]
