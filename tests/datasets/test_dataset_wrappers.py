"""Our wrapper and mmengine's, built from configs as in training."""

import math
import os

import numpy as np
import pytest
from mmengine.dataset import DefaultSampler

from mmdet.datasets import AspectRatioBatchSampler, ClassAwareSampler, MultiImageMixDataset
from mmdet.datasets.dataset_wrappers import innermost
from mmdet.datasets.recording import record
from mmdet.datasets.shapes import CLASSES
from mmdet.engine.hooks.visualization_hook import common_folder
from mmdet.errors import UserError
from mmdet.registry import DATASETS
from tests.datasets.transforms.results import results_of


def shapes(root: object, **changes: object) -> dict:
    return dict(
        type='ShapesDataset',
        data_root=str(root),
        ann_file='annotations/instances_train2017.json',
        data_prefix=dict(img='train2017/'),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_mask=True),
            dict(type='Resize', scale=(96, 64)),
        ],
        **changes,
    )


def repeated(dataset: dict) -> dict:
    return dict(type='RepeatDataset', times=2, dataset=dataset)


def mixed(dataset: dict, *, pipeline: tuple = (dict(type='CopyPaste', selected=False),)) -> dict:
    return dict(type='MultiImageMixDataset', dataset=dataset, pipeline=pipeline)


def joined(*datasets: dict) -> dict:
    return dict(type='ConcatDataset', datasets=list(datasets))


def balanced(dataset: dict, oversample_thr: float = 1e-3) -> dict:
    return dict(type='ClassBalancedDataset', dataset=dataset, oversample_thr=oversample_thr)


def twice(dataset: dict) -> dict:
    return joined(dataset, dataset)


def frequent(dataset: dict) -> dict:
    return balanced(dataset, 0.6)


def balanced_of(images: list[int], labels: list[list[int]]) -> list[int]:
    """Return the images of `frequent`, by the formula of the paper."""
    share = {
        label: sum(label in labels[i] for i in images) / len(images)
        for label in range(len(CLASSES))
    }
    factors = [max([1, *(np.sqrt(0.6 / share[each]) for each in labels[i])]) for i in images]
    return [i for i, factor in zip(images, factors, strict=True) for _ in range(math.ceil(factor))]


# A wrapper, and which images it makes of some.
WRAPPERS = {
    mixed: lambda images, labels: images,
    repeated: lambda images, labels: images * 2,
    twice: lambda images, labels: images * 2,
    frequent: balanced_of,
}


@pytest.mark.parametrize('inner', WRAPPERS)
@pytest.mark.parametrize('outer', WRAPPERS)
def test_wrappers_are_data_sets_in_any_nesting(shapes_root, inner, outer):
    plain = DATASETS.build(shapes(shapes_root))
    infos = [plain.get_data_info(index) for index in range(12)]
    labels = [plain.get_cat_ids(index) for index in range(12)]
    assert any(labels)
    images = WRAPPERS[outer](WRAPPERS[inner](list(range(12)), labels), labels)

    dataset = DATASETS.build(outer(inner(shapes(shapes_root))))
    numbers = range(len(dataset))
    assert [dataset.get_data_info(n)['img_id'] for n in numbers] == [
        infos[image]['img_id'] for image in images
    ]
    assert [dataset.get_cat_ids(n) for n in numbers] == [labels[image] for image in images]
    assert dataset[len(dataset) - 1]['img_id'] == infos[images[-1]]['img_id']
    assert dataset.metainfo['classes'] == CLASSES
    batches = list(AspectRatioBatchSampler(DefaultSampler(dataset, seed=0), batch_size=3))
    assert sorted(index for batch in batches for index in batch) == list(numbers)
    assert any(labels[images[n]] == [] for n in numbers) or set(ClassAwareSampler(dataset, seed=0))

    assert {each.ann_file for each in innermost(dataset)} == {plain.ann_file}
    assert common_folder(dataset) == os.path.dirname(infos[0]['img_path'])
    stages = record(dataset)
    _ = dataset[0]
    assert stages[0][0].name == 'LoadImageFromFile'


@pytest.mark.parametrize('wrap', WRAPPERS)
def test_what_is_known_of_files_alone_is_known_when_they_are_read(shapes_root, wrap):
    """Some formats learn their classes from their files, which may be read late."""
    config = wrap(shapes(shapes_root, lazy_init=True)) | dict(lazy_init=True)
    dataset = DATASETS.build(config)
    (*_, inner) = innermost(dataset)
    assert not inner._fully_initialized
    for each in innermost(dataset):
        each._metainfo['classes'] = ('late',)
        each.METAINFO = {}
    assert dataset.metainfo['classes'] == ('late',)


@pytest.mark.parametrize(
    ('metainfo', 'complaint'),
    [
        (
            dict(classes=('ring',)),
            r"datasets\.1 has classes \('ring',\), and datasets\.0 has \('ellipse', .* in both$",
        ),
        (dict(palette=[(1, 2, 3)]), "datasets.1 has palette .* None: .*ignore_keys='palette'"),
    ],
)
def test_data_sets_that_differ_are_not_joined(shapes_root, metainfo, complaint):
    other = shapes(shapes_root, metainfo=metainfo)
    with pytest.raises(UserError, match=complaint):
        DATASETS.build(joined(shapes(shapes_root), other))
    config = joined(shapes(shapes_root), other) | dict(ignore_keys=list(metainfo))
    assert DATASETS.build(config).metainfo['classes'] == CLASSES


def test_images_of_rare_classes_are_seen_more_often(shapes_root):
    """As often as mmengine's class says: by the root of a frequency of 1 over the class's."""
    plain = DATASETS.build(shapes(shapes_root))
    labels = [set(plain.get_cat_ids(i)) for i in range(12)]
    assert labels == [
        {obj['bbox_label'] for obj in plain.get_data_info(i)['instances']} for i in range(12)
    ]
    dataset = DATASETS.build(balanced(shapes(shapes_root), oversample_thr=1.0))
    rarest = min(
        (label for found in labels for label in found),
        key=lambda label: sum(label in found for found in labels),
    )
    frequency = sum(rarest in found for found in labels) / 12
    first = next(i for i, found in enumerate(labels) if rarest in found)
    ids = [dataset.get_data_info(i)['img_id'] for i in range(len(dataset))]
    assert ids.count(plain.get_data_info(first)['img_id']) == np.ceil(frequency**-0.5)


def test_a_second_image_is_mixed_in_and_leaves_no_trace(shapes_root):
    inner = DATASETS.build(shapes(shapes_root))
    results = DATASETS.build(mixed(shapes(shapes_root)))[0]
    assert 'mix_results' not in results
    assert (results['img'] != inner[0]['img']).any()
    pasted = [len(inner[i]['gt_bboxes']) for i in range(12)]
    assert min(pasted) <= len(results['gt_bboxes']) <= pasted[0] + max(pasted)
    assert len(results['gt_masks']) == len(results['gt_bboxes'])


def test_the_pipeline_goes_on_after_the_mix(shapes_root):
    pipeline = (dict(type='CopyPaste'), dict(type='PackDetInputs'))
    sample = DATASETS.build(mixed(shapes(shapes_root), pipeline=pipeline))[3]
    assert sample['inputs'].shape == (3, 64, 96)
    assert sample['data_samples'].gt_instances.masks.to_tensor().shape[1:] == (64, 96)


def test_transforms_may_be_skipped(shapes_root):
    config = mixed(shapes(shapes_root)) | dict(skip_type_keys=['CopyPaste'])
    plain = DATASETS.build(shapes(shapes_root))[0]
    assert (DATASETS.build(config)[0]['img'] == plain['img']).all()


class Flaky:
    """Gives one image with an object of 20 x 20 pixels, but nothing at some of the askings."""

    def __init__(self, nothing_at: set[int]) -> None:
        self.nothing_at = nothing_at
        self.asked = 0

    def __len__(self) -> int:
        return 1

    def full_init(self) -> None: ...

    def __getitem__(self, index: int) -> dict | None:
        self.asked += 1
        return None if self.asked in self.nothing_at else results_of([(10, 5, 30, 25)])


def test_what_comes_to_nothing_is_tried_again():
    dataset = Flaky({1, 2})
    assert len(MultiImageMixDataset(dataset, [], max_refetch=3)[0]['gt_bboxes']) == 1
    assert dataset.asked == 3
    with pytest.raises(UserError, match=r'sample 0 .* 2 times'):
        MultiImageMixDataset(Flaky({1, 2}), [], max_refetch=2)[0]


def test_a_second_image_that_comes_to_nothing_begins_the_sample_anew():
    dataset = Flaky({2})
    assert MultiImageMixDataset(dataset, [dict(type='CopyPaste')])[0]['img'].shape == (40, 64, 3)
    assert dataset.asked == 4


def test_a_transform_that_always_gives_up_is_an_error():
    strict = dict(type='FilterAnnotations', min_gt_bbox_wh=(500, 500))
    with pytest.raises(UserError, match=r'came to nothing 15 times: .*FilterAnnotations'):
        MultiImageMixDataset(Flaky(set()), [strict])[0]


def test_the_annotation_file_may_wait(shapes_root):
    inner = DATASETS.build(shapes(shapes_root, lazy_init=True))
    dataset = MultiImageMixDataset(inner, [], lazy_init=True)
    assert not inner._fully_initialized
    dataset.full_init()
    assert inner._fully_initialized


@pytest.mark.parametrize('wrap', [lambda dataset: dataset, repeated, joined, balanced])
def test_images_are_mixed_as_in_yolox(shapes_root, wrap):
    pipeline = (
        dict(type='Mosaic', img_scale=(96, 64), pad_val=114.0),
        dict(type='RandomAffine', scaling_ratio_range=(0.5, 1.5), border=(-48, -32)),
        dict(type='MixUp', img_scale=(96, 64), ratio_range=(0.8, 1.6), pad_val=114.0),
        dict(type='YOLOXHSVRandomAug'),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PhotoMetricDistortion'),
        dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1), by_mask=True, keep_empty=False),
        dict(type='PackDetInputs'),
    )
    dataset = DATASETS.build(mixed(wrap(shapes(shapes_root)), pipeline=pipeline))
    numbers = []
    for index in range(len(dataset)):
        sample = dataset[index]
        masks = sample['data_samples'].gt_instances.masks
        assert sample['inputs'].shape == (3, 64, 96)
        assert (masks.height, masks.width) == (64, 96)
        assert (masks.moments()[:, 0] > 0).all()
        numbers.append(len(masks))
    assert max(numbers) > 3
