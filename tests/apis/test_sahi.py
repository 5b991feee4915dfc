"""SAHI's wrapper for mmdetection, around our inferencer."""

import numpy as np
import pytest

from tests.apis.videos import scene

pytest.importorskip('sahi', reason='sahi is not installed')


@pytest.fixture
def model(checkpoint, config):
    from sahi import AutoDetectionModel

    return AutoDetectionModel.from_pretrained(
        model_type='mmdet',
        model_path=str(checkpoint),
        config_path=str(config),
        confidence_threshold=0.0,
        image_size=96,
        device='cpu',
    )


def test_a_picture_larger_than_the_slices(model):
    from sahi.predict import get_sliced_prediction

    picture = np.tile(scene(0), (2, 2, 1))
    result = get_sliced_prediction(
        picture, model, slice_height=96, slice_width=128, overlap_height_ratio=0, verbose=0
    )
    found = result.object_prediction_list
    assert {each.category.name for each in found} <= {'a', 'b', 'c'}
    masks = np.stack([each.mask.bool_mask for each in found])
    assert masks.shape[1:] == (192, 256)
    assert masks.any((1, 2)).all()
    quarters = masks.reshape(len(masks), 2, 96, 2, 128).any((0, 2, 4))
    assert quarters.all()  # something in each


def test_a_picture_as_a_whole(model):
    from sahi.predict import get_prediction

    from mmdet.apis import inference_detector

    picture = scene(0)
    found = get_prediction(picture[..., ::-1], model).object_prediction_list  # RGB, as SAHI reads
    wanted = inference_detector(model.model.model, picture, model.model.pipeline).pred_instances
    assert [each.category.id for each in found] == wanted.labels.tolist()
    np.testing.assert_allclose([each.score.value for each in found], wanted.scores)
    for each, mask in zip(found, wanted.masks.numpy(), strict=True):
        other = each.mask.bool_mask  # from polygons that SAHI draws
        assert (mask & other).sum() >= 0.95 * (mask | other).sum()


def test_a_checkpoint_alone(checkpoint):
    from sahi import AutoDetectionModel

    found = AutoDetectionModel.from_pretrained('mmdet', model_path=str(checkpoint), device='cpu')
    assert found.category_names == ('a', 'b', 'c') and found.has_mask
