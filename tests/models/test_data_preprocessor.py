import pytest
import torch
from mmengine.model import ImgDataPreprocessor

from mmdet.errors import UserError
from mmdet.models import BatchFixedSizePad, DetDataPreprocessor
from mmdet.registry import MODELS
from tests.samples import batch_of, sample_of


def batch() -> dict:
    return batch_of([sample_of([(8, 8, 60, 60)]), sample_of([], shape=(70, 50))])


def build(**pad: object) -> DetDataPreprocessor:
    """Return what pads to a multiple of 32, and in training to what `pad` asks for."""
    return MODELS.build(
        dict(
            type='DetDataPreprocessor',
            pad_size_divisor=32,
            batch_augments=[dict(type='BatchFixedSizePad', **pad)],
        )
    )


def preprocess(data: dict, *, training: bool = True, **pad: object) -> dict:
    return build(**pad)(data, training)


@pytest.mark.parametrize(
    ('size', 'padded'), [((160, 192), (160, 192)), ((64, 192), (96, 192)), ((64, 64), (96, 128))]
)
def test_batches_are_padded_to_a_size_but_never_cut(size, padded):
    data = batch()
    result = preprocess(data, size=size, img_pad_value=3)
    assert result['inputs'].shape == (2, 3, *padded)
    sizes = [tuple(image.shape[1:]) for image in data['inputs']]
    assert build(size=size).padded_size(sizes) == padded
    for image, whole in zip(data['inputs'], result['inputs'], strict=True):
        assert (whole[:, : image.shape[1], : image.shape[2]] == image).all()
    assert (result['inputs'][:, :, 96:] == 3).all()
    assert (result['inputs'][:, :, :, 128:] == 3).all()
    for sample in result['data_samples']:
        assert sample.batch_input_shape == padded


def test_on_a_cpu_images_come_in_the_order_of_its_convolutions():
    assert preprocess(batch(), size=(64, 64))['inputs'].is_contiguous(
        memory_format=torch.channels_last
    )


@pytest.mark.parametrize(('chosen', 'is_last'), [('', True), ('1', True), ('0', False)])
def test_the_order_can_be_chosen(chosen, is_last, monkeypatch):
    monkeypatch.setenv('MMDET_CHANNELS_LAST', chosen)
    inputs = preprocess(batch(), size=(64, 64))['inputs']
    assert inputs.is_contiguous(memory_format=torch.channels_last) == is_last
    assert inputs.is_contiguous() != is_last


SETTINGS = [
    dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
    dict(mean=[100.0], std=[50.0], pad_value=-1),
    dict(rgb_to_bgr=True),
]


@pytest.mark.parametrize('settings', SETTINGS)
def test_images_are_those_of_mmengines_class(settings):
    settings = settings | dict(pad_size_divisor=32)
    data = batch()
    ours = DetDataPreprocessor(**settings)(data)['inputs']
    assert torch.equal(ours, ImgDataPreprocessor(**settings)(data)['inputs'])


def test_what_the_images_were_is_left_as_it_was():
    data = batch()
    data['inputs'] = [image.float() for image in data['inputs']]
    before = [image.clone() for image in data['inputs']]
    DetDataPreprocessor(**SETTINGS[0])(data)
    assert all(map(torch.equal, data['inputs'], before))


def test_an_image_of_other_channels_is_refused():
    data = batch()
    data['inputs'] = [image[:1] for image in data['inputs']]
    with pytest.raises(UserError, match='means of 3 channels, but an image has 1'):
        DetDataPreprocessor(**SETTINGS[0])(data)


def test_all_that_is_annotated_goes_to_the_device(other_device):
    preprocessor = MODELS.build(
        dict(
            type='DetDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            pad_mask=True,
            batch_augments=[dict(type='BatchFixedSizePad', size=(160, 192), pad_mask=True)],
        )
    ).to(other_device)
    result = preprocessor(batch(), True)
    assert result['inputs'].device == other_device
    assert result['inputs'].shape == (2, 3, 160, 192)
    for sample in result['data_samples']:
        truth = sample.gt_instances
        assert truth.bboxes.device == truth.labels.device == other_device
        assert truth.masks.bits.device == other_device
        assert truth.masks.to_tensor().device == other_device


def test_only_training_pads_to_a_size():
    result = preprocess(batch(), training=False, size=(160, 192))
    assert result['inputs'].shape == (2, 3, 96, 128)
    assert result['data_samples'][0].batch_input_shape == (96, 128)


@pytest.mark.parametrize(
    ('pad_mask', 'fixed_pad_mask', 'shapes'),
    [
        (False, False, [(96, 128), (70, 50)]),
        (True, False, [(96, 128), (96, 128)]),
        (False, True, [(160, 192), (160, 192)]),
    ],
)
def test_masks_are_padded_if_asked_for(pad_mask, fixed_pad_mask, shapes):
    preprocessor = MODELS.build(
        dict(
            type='DetDataPreprocessor',
            pad_mask=pad_mask,
            batch_augments=[
                dict(type='BatchFixedSizePad', size=(160, 192), pad_mask=fixed_pad_mask)
            ],
        )
    )
    samples = preprocessor(batch(), True)['data_samples']
    masks = [sample.gt_instances.masks for sample in samples]
    assert [tuple(mask.to_tensor().shape[1:]) for mask in masks] == shapes
    assert masks[0].to_tensor().sum() == 52 * 52


def test_what_is_given_stays_as_it_is():
    data = batch()
    given = [(sample, sample.gt_instances) for sample in data['data_samples']]
    pads = dict(pad_mask=True, size=(160, 192))
    preprocess(data, **pads)
    BatchFixedSizePad(**pads)(torch.zeros(2, 3, 96, 128), data['data_samples'])
    for sample, (same, instances), shape in zip(
        data['data_samples'], given, [(96, 128), (70, 50)], strict=True
    ):
        assert sample is same
        assert sample.gt_instances is instances
        assert sample.batch_input_shape == shape
        assert (instances.masks.height, instances.masks.width) == shape


def test_the_loss_does_not_depend_on_who_pads_the_masks(tiny_model):
    """mmdetection's large-scale-jitter configs pad images alone."""
    losses = []
    for pad_mask in (False, True):
        torch.manual_seed(0)
        tiny_model['data_preprocessor'] |= dict(
            pad_mask=pad_mask,
            batch_augments=[dict(type='BatchFixedSizePad', size=(160, 192), pad_mask=pad_mask)],
        )
        model = MODELS.build(tiny_model)
        losses.append(model(**model.data_preprocessor(batch(), True), mode='loss'))
    assert losses[0]['loss_mask'] > 0
    assert losses[0] == losses[1]


def test_without_annotations():
    data = dict(inputs=[torch.zeros(3, 40, 50)])
    result = preprocess(data, size=(64, 96))
    assert result['inputs'].shape == (1, 3, 64, 96)
    assert result['data_samples'] is None


@pytest.mark.parametrize('mean', [None, [123.675, 116.28, 103.53]])
@pytest.mark.parametrize('bgr_to_rgb', [False, True])
def test_a_picture_of_what_the_model_is_given_is_the_image_as_rgb(mean, bgr_to_rgb):
    preprocessor = DetDataPreprocessor(
        mean=mean, std=mean and [58.395, 57.12, 57.375], bgr_to_rgb=bgr_to_rgb, pad_size_divisor=32
    )
    data = batch()
    given = preprocessor(data, training=True)['inputs']
    for image, model_input in zip(data['inputs'], given, strict=True):
        height, width = image.shape[1:]
        picture = preprocessor.picture(model_input)
        assert picture.shape == (96, 128, 3)
        assert picture.dtype == 'uint8'
        assert (picture[:height, :width] == image.flip(0).permute(1, 2, 0).numpy()).all()
