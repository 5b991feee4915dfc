"""Test-time augmentation in use: from images in memory to instances."""

import numpy as np
import pytest
from mmengine.config import Config

from mmdet.apis import augmented, infer, inference_pipeline, init_detector
from mmdet.errors import UserError
from mmdet.models import DetTTAModel

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_mask=True),
    dict(type='PackDetInputs'),
]


@pytest.fixture
def model(tiny_model):
    tiny_model['test_cfg'] |= dict(mask_thr=0.01)  # it is untrained
    dataset = dict(type='CocoDataset', metainfo=dict(classes=('a', 'b', 'c')), pipeline=PIPELINE)
    cfg = Config(dict(model=tiny_model, test_dataloader=dict(dataset=dataset)))
    return init_detector(cfg, device='cpu')


def test_images_of_several_sizes(model):
    """Each has what it has alone, and the model it was made of still gives its own result."""
    sizes = [(64, 96), (64, 96), (70, 50)]
    images = [np.random.randint(0, 256, (*size, 3), np.uint8) for size in sizes]
    alone = infer(model, images[:1], inference_pipeline(model.cfg))[0]
    several = augmented(model)
    pipeline = inference_pipeline(several.cfg)
    found = infer(several, images, pipeline)
    for sample, image in zip(found, images, strict=True):
        (expected,) = infer(several, [image], pipeline)
        assert sample.pred_instances.scores.tolist() == pytest.approx(
            expected.pred_instances.scores.tolist(), abs=1e-5
        )
        masks = sample.pred_instances.masks
        assert len(masks) > 0 and (masks.height, masks.width) == image.shape[:2]
    assert isinstance(several, DetTTAModel) and several.dataset_meta['classes'] == ('a', 'b', 'c')
    assert found[0].pred_instances.scores.tolist() != alone.pred_instances.scores.tolist()
    again = infer(model, images[:1], inference_pipeline(model.cfg))[0]
    assert again.pred_instances.scores.tolist() == alone.pred_instances.scores.tolist()


def test_annotations_that_a_picture_has_not_are_no_view(model):
    """mmdetection's pipelines give them a list of their own, which would leave nothing."""
    views = [
        [dict(type='RandomFlip', prob=1.0), dict(type='RandomFlip', prob=0.0)],
        [dict(type='LoadAnnotations', with_bbox=True)],
        [dict(type='PackDetInputs')],
    ]
    model.cfg.tta_pipeline = [PIPELINE[0], dict(type='TestTimeAug', transforms=views)]
    image = np.zeros((64, 64, 3), np.uint8)
    item = inference_pipeline(augmented(model).cfg)(dict(img=image, img_id=0))
    assert [sample.flip for sample in item['data_samples']] == [True, False]


def test_what_runs_without_pytorch_has_no_views():
    with pytest.raises(UserError, match='no test-time augmentation'):
        augmented(object())
