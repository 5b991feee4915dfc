"""Images of a test with what there is to find beside what was found."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.structures import InstanceData

from mmdet.datasets.coco_values import Identifier
from mmdet.datasets.image_file import UnusableImageError, read_image
from mmdet.evaluation.analysis import ImageComparison, ImageScore, compare
from mmdet.evaluation.coco_metric import Measured
from mmdet.structures import DetDataSample, RLEMasks
from mmdet.structures.coded_masks import CodedMasks
from mmdet.visualization.panels import resized, size_within


class Example(NamedTuple):
    """An image to show.

    Attributes:
        score: how well it was done.
        path: of its file; empty if the data set does not have it.
        image: (h, w, 3) uint8 BGR; None if it cannot be read.
        sample: `gt_instances`, without crowd regions, and `pred_instances`, both at that size.
    """

    score: ImageScore
    path: str
    image: np.ndarray | None
    sample: DetDataSample


def paths_of(dataset: BaseDataset) -> dict[Identifier, str]:
    """Return the file of each image of a data set, or of a wrapped one, by the image's id."""
    dataset.full_init()
    items = (dataset.get_data_info(index) for index in range(len(dataset)))
    return {item['img_id']: item['img_path'] for item in items}


def examples(
    measured: Measured,
    scores: Sequence[ImageScore],
    paths: Mapping[Identifier, str],
    *,
    side: int | None = None,
    backend_args: dict | None = None,
) -> Iterator[Example]:
    """Yield some images of a test, in the order of their scores.

    Args:
        measured: the test.
        scores: of the images that are wanted.
        paths: the files of all images.
        side: the longer side of the images in pixels; by default they have their own size.
        backend_args: of mmengine's storage backend, if the images are not on a local disk.
    """
    chosen = measured._replace(truth={each.img_id: measured.truth[each.img_id] for each in scores})
    for score, compared in zip(scores, compare(chosen), strict=True):
        path = paths.get(score.img_id, '')
        size = None if side is None else size_within(compared.size, side, enlarge=8)
        try:
            image = read_image(path, size=compared.size, backend_args=backend_args)
        except UnusableImageError:
            image = None
        if size and image is not None:
            image = resized(image, size)
        yield Example(score, path, image, _sample(compared, size))


def _sample(image: ImageComparison, size: tuple[int, int] | None) -> DetDataSample:
    objects = np.flatnonzero(~image.crowds)

    def masks(rles: list[dict]) -> RLEMasks | np.ndarray:
        if size is None:
            return RLEMasks(rles, *image.size)
        return CodedMasks(rles, *image.size).resize(size).masks

    return DetDataSample(
        gt_instances=InstanceData(
            labels=torch.from_numpy(image.object_labels[objects]),
            masks=masks([image.object_rles[index] for index in objects]),
        ),
        pred_instances=InstanceData(
            scores=torch.from_numpy(image.scores),
            labels=torch.from_numpy(image.labels),
            masks=masks(image.rles),
        ),
    )
