"""What there is to find, as the engine of the evaluation wants it.

It needs ids that are numbers, and takes an annotation's id of 0 for "no match". So they are
numbered here: images in their order, categories by their labels, all from 1.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from faster_coco_eval import COCO
from pycocotools import mask as coco_mask

from mmdet.datasets.coco_file import CocoFile
from mmdet.datasets.coco_values import Identifier
from mmdet.structures.segmentation import as_rle

_PAIRS = 250_000  # of an image and a class, which the engine is given at a time


def truth_of_file(
    coco: CocoFile, labels: Mapping[Identifier, int], image_numbers: Mapping[Identifier, int]
) -> COCO:
    """Return the annotations of a file.

    Args:
        coco: the file.
        labels: of the ids of its categories that are wanted, in the order of the labels.
        image_numbers: what the engine calls each image.
    """
    names = {category['id']: category['name'] for category in coco.categories}
    annotations = (
        {
            **annotation,
            'image_id': image_numbers[annotation['image_id']],
            'category_id': labels[annotation['category_id']] + 1,
        }
        for annotation in coco.annotations
        if annotation['category_id'] in labels
    )
    images = [{**image, 'id': image_numbers[image['id']]} for image in coco.images]
    return _numbered(images, annotations, [names[identifier] for identifier in labels])


def truth_of_samples(
    truths: Mapping[Identifier, dict],
    classes: Sequence[str],
    image_numbers: Mapping[Identifier, int],
) -> COCO:
    """Return the instances of samples.

    Args:
        truths: of each image's id, `ori_shape`, (h, w), and `instances` as `CocoDataset` has them.
        classes: the names of the labels.
        image_numbers: what the engine calls each image.
    """
    annotations = (
        {'image_id': image_numbers[identifier], **_annotation(instance, *truth['ori_shape'])}
        for identifier, truth in truths.items()
        for instance in truth['instances']
    )
    images = [
        dict(
            id=number,
            height=truths[identifier]['ori_shape'][0],
            width=truths[identifier]['ori_shape'][1],
        )
        for identifier, number in image_numbers.items()
    ]
    return _numbered(images, annotations, classes)


def by_classes(truth: COCO, found: COCO) -> Iterator[tuple[COCO, COCO]]:
    """Yield what there is to find and what was found of some classes at a time, in their order.

    The engine keeps something for each class in each image, 8 million of it with 80 classes in
    100,000 images, and prepares all masks before it compares the first. A class's figures follow
    from the images that it is in, or was found in.

    Args:
        truth: of all classes.
        found: likewise.
    """
    categories = truth.dataset['categories']
    images = {image['id']: image for image in truth.dataset['images']}
    kinds = [_by_category(truth), _by_category(found)]
    at_once = max(1, _PAIRS // len(images))
    for start in range(0, len(categories), at_once):
        some = categories[start : start + at_once]
        # Copies, as the engine puts decoded masks into them.
        chosen = [[{**each} for one in some for each in kind[one['id']]] for kind in kinds]
        seen = sorted({each['image_id'] for annotations in chosen for each in annotations})
        there = [images[number] for number in seen or list(images)[:1]]
        whole, other = (
            COCO(dict(images=there, annotations=annotations, categories=some))
            for annotations in chosen
        )
        yield whole, other


def _by_category(coco: COCO) -> dict[int, list[dict]]:
    annotations: dict[int, list[dict]] = defaultdict(list)
    for annotation in coco.dataset['annotations']:
        annotations[annotation['category_id']].append(annotation)
    return annotations


def _annotation(instance: Mapping, height: int, width: int) -> dict:
    x1, y1, x2, y2 = instance['bbox']
    rle = as_rle(instance['mask'], height, width)
    return dict(
        category_id=instance['bbox_label'] + 1,
        bbox=[x1, y1, x2 - x1, y2 - y1],
        area=float(coco_mask.area(rle)),
        iscrowd=int(instance['ignore_flag']),
        segmentation=rle,
    )


def _numbered(images: list[dict], annotations: Iterable[dict], classes: Sequence[str]) -> COCO:
    return COCO(
        dict(
            images=images,
            annotations=[
                {**annotation, 'id': number}
                for number, annotation in enumerate(annotations, start=1)
            ],
            categories=[dict(id=number, name=name) for number, name in enumerate(classes, start=1)],
        )
    )
