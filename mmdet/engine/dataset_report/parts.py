"""The parts of a config's data, read one after the other, each into a few arrays.

Shape letters: B images, T objects that are learned from.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from mmdet.datasets import CocoDataset
from mmdet.datasets.coco_file import garbage_left_alone
from mmdet.datasets.findings import CountedFinding
from mmdet.engine.config import datasets_with_steps, is_a
from mmdet.errors import UserError
from mmdet.models.assigners import GroundTruth, locate_instances
from mmdet.registry import DATASETS

from .delivery import Delivery

STAGES = ('train', 'val', 'test')
_AT_ONCE = 512  # images whose masks are there as run lengths together


@dataclass
class PartConfig:
    """A data set that the config names, once, however often it does.

    Attributes:
        stages: of `STAGES`, those that read it.
        dataset: its dict.
        steps: of its pipelines.
        name: what to call it, such as `train` or `val and test`.
    """

    stages: list[str]
    dataset: dict
    steps: list[dict]
    name: str = ''


@dataclass
class Part:
    """What was read of a data set.

    Attributes:
        name: of the part.
        stages: that read it.
        source: its annotation file.
        is_coco: its annotations are in COCO's format, which `check-coco` reads.
        classes: their names.
        findings: what the reader repaired or left out.
        delivery: gives the objects of an item as the network gets them.
        in_file: how many images its annotation file has.
        items: of each of B images that are used, what the data list has.
        sizes: (B, 2) heights and widths of the images in pixels.
        shapes: (B, 2) likewise, as the network gets them.
        factors: (B, 2) between the two, of the width and of the height.
        truth: where the T objects are in the network's input.
        crowds: how many regions nothing is learned from.
        is_local: the images are files on a local disk.
    """

    name: str
    stages: list[str]
    source: str
    is_coco: bool
    classes: tuple[str, ...]
    findings: list[CountedFinding]
    delivery: Delivery
    in_file: int
    items: list[dict]
    sizes: np.ndarray
    shapes: np.ndarray
    factors: np.ndarray
    truth: GroundTruth
    crowds: int
    is_local: bool

    @property
    def paths(self) -> list[str]:
        """The images' B files."""
        return [item['img_path'] for item in self.items]

    @property
    def scale(self) -> np.ndarray:
        """(T,) how many times as high and wide as in its file each object is in the input."""
        return np.sqrt(self.factors.prod(1))[self.truth.image.numpy()]

    def objects_of(self, image: int) -> np.ndarray:
        """Return the indices of an image's objects, which are one after the other."""
        return np.arange(*np.searchsorted(self.truth.image.numpy(), [image, image + 1]))


def parts_of(cfg: Config, stages: Sequence[str] = STAGES) -> list[PartConfig]:
    """Return the data sets that a config trains, validates and tests with.

    Args:
        cfg: the config.
        stages: those that are wanted.

    Raises:
        UserError: there are none, or one is of a class that cannot be read here.
    """
    parts: list[PartConfig] = []
    for stage in stages:
        for dataset, steps in datasets_with_steps(cfg.get(f'{stage}_dataloader')):
            if not is_a(dataset, DATASETS, CocoDataset):
                raise UserError(
                    f'{stage}_dataloader.dataset is a {dataset.get("type")}, which gives no masks '
                    "in COCO's form: the report reads CocoDataset and what is derived from it"
                )
            same = next((part for part in parts if _is_same(part.dataset, dataset)), None)
            if same is None:
                parts.append(PartConfig([stage], dataset, steps))
            elif stage not in same.stages:
                same.stages.append(stage)
    if not parts:
        raise UserError(f'{cfg.filename} has no data: no {", no ".join(_keys(stages))}')
    for part in parts:
        alike = [other for other in parts if other.stages == part.stages]
        number = f' {alike.index(part) + 1}' if len(alike) > 1 else ''
        part.name = ' and '.join(part.stages) + number
    return parts


def read_part(config: PartConfig) -> Part:
    """Read a data set: the annotations, and no image.

    Raises:
        UserError: something is missing or refused; see `CocoDataset`.
    """
    # Its pipeline is not run, and may lack what a stage needs.
    dataset = DATASETS.build({**config.dataset, 'lazy_init': True})
    delivery = Delivery(config.steps)
    with garbage_left_alone():
        coco = dataset.read()
        in_file = len(coco.images)
        dataset.data_list = items = dataset.data_list_of(coco)
        findings = coco.findings.counted()
        del coco
        if dataset.filter_cfg and not dataset.test_mode and items:
            items = dataset.filtered()
        instances = [each for item in items for each in item['instances']]
        truths, shapes, factors = _delivered(items, delivery)
    return Part(
        name=config.name,
        stages=config.stages,
        source=dataset.source,
        is_coco=type(dataset).read is CocoDataset.read,
        classes=tuple(dataset.metainfo['classes']),
        findings=findings,
        delivery=delivery,
        in_file=in_file,
        items=items,
        sizes=_pairs([(item['height'], item['width']) for item in items], int),
        shapes=_pairs(shapes, int),
        factors=_pairs(factors, float),
        truth=_joined(truths),
        crowds=sum(bool(each['ignore_flag']) for each in instances),
        is_local=dataset.reads_local_images(),
    )


def _keys(stages: Sequence[str]) -> list[str]:
    return [f'{stage}_dataloader' for stage in stages]


def _is_same(one: Mapping, other: Mapping) -> bool:
    """Return whether two dicts read the same files, whatever is done with them."""

    def files(dataset: Mapping) -> tuple:
        root, prefix = dataset.get('data_root') or '', dataset.get('data_prefix') or {}
        paths = (
            os.path.join(root, path) for path in (dataset.get('ann_file') or '', *prefix.values())
        )
        return (*map(os.path.normpath, paths), dataset.get('indices'), dataset.get('metainfo'))

    return files(one) == files(other)


def _delivered(
    items: Sequence[dict], delivery: Delivery
) -> tuple[list[GroundTruth], list[tuple[int, int]], list[tuple[float, float]]]:
    truths: list[GroundTruth] = []
    shapes: list[tuple[int, int]] = []
    factors: list[tuple[float, float]] = []
    for some in _batches(items):
        delivered = [delivery(item) for item in some]
        truths.append(locate_instances([each.instances for each in delivered]))
        shapes += [each.shape for each in delivered]
        factors += [each.factor for each in delivered]
    return truths, shapes, factors


def _batches(items: Sequence[dict]) -> Iterator[list[dict]]:
    rest = iter(items)
    while some := list(islice(rest, _AT_ONCE)):
        yield some


def _joined(truths: Sequence[GroundTruth]) -> GroundTruth:
    """Return one of all; each but the last is of `_AT_ONCE` images."""

    def cat(tensors: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(tensors))

    truths = truths or [locate_instances([])]
    return GroundTruth(
        image=cat([truth.image + number * _AT_ONCE for number, truth in enumerate(truths)]),
        labels=cat([truth.labels for truth in truths]),
        bboxes=cat([truth.bboxes for truth in truths]),
        centers=cat([truth.centers for truth in truths]),
        areas=cat([truth.areas for truth in truths]),
        masks={},
    )


def _pairs(values: Sequence[tuple], kind: type) -> np.ndarray:
    return np.array(values, kind).reshape(-1, 2)
