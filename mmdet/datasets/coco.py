"""Data sets in COCO's format."""

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from os.path import basename, dirname, join
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.fileio import LocalBackend
from mmengine.logging import print_log

from mmdet.errors import UserError
from mmdet.registry import DATASETS

from .coco_annotations import place, why_untrained
from .coco_classes import COCO_CLASSES
from .coco_file import LAYOUT, CocoFile, category_labels, garbage_left_alone, read_coco_file
from .coco_folder import find_coco_parts
from .coco_images import leads_out
from .coco_names import files_in, names_that_are_there
from .coco_values import Identifier
from .file_backend import file_backend
from .findings import UNTRAINED, Findings
from .image_file import UnusableImageError
from .image_header import ImageFile, check_image_files
from .unusable_image import UnusableImage, note_unusable

_NAMED = 10  # images in a line of the log


@DATASETS.register_module()
class CocoDataset(BaseDataset):
    """Images and instances of a COCO annotation file.

    What is wrong in the file is repaired, left out or refused as `coco_file.py` says.

    In training, an image that is missing, broken or of another size than annotated is noted, and
    another one takes its place, which follows from the random numbers of the sample's own place.
    With `test_mode` such an image is refused: figures without it would be those of other data.

    Each item of the data list has `img_path`, `img_id`, `height`, `width` and `instances`, each
    of these a dict of `bbox` (x1, y1, x2, y2 in pixels), `bbox_label`, `mask` (COCO's
    segmentation: polygons or RLE) and `ignore_flag` (1 for a crowd region).

    Args:
        ann_file: the annotation file, in `data_root` unless absolute.
        data_prefix: `dict(img=...)` is the folder of the images, in `data_root` unless absolute;
            by default `data_root` itself.
        backend_args: of mmengine's storage backend, if the annotation file is not on a local
            disk; images are read, and looked for, with those of `LoadImageFromFile`.
        metainfo: `dict(classes=(...))` names the categories to use, in the order of their labels.
        data_root: the folder that `ann_file` and `data_prefix` are in.
        filter_cfg: `dict(filter_empty_gt=..., min_size=...)` leaves out images without an instance
            to learn, and images with a side below `min_size` pixels. It is for training: with
            `test_mode` every image stays.
        indices: use the first so many images, or those of these indices.
        serialize_data: keep the data list as bytes, which worker processes share.
        pipeline: the transforms, or their configs.
        test_mode: for validation and testing.
        lazy_init: do not read the annotation file yet; see mmengine's `BaseDataset`.
        max_refetch: in training, how many images to try in the place of one that cannot be used,
            or that the pipeline leaves nothing of.
        max_unusable: in training, the share of the images that may be missing, broken or of another
            size than annotated; above it a training refuses to begin, or stops.
        allow_outside_root: read images whose `file_name` leads out of `data_root` (without one, out
            of the images' folder), by `..` or by an absolute path.

    Raises:
        UserError: the annotation file is missing or refused, the folder or (with `test_mode`, or
            above `max_unusable`) one of its images is missing, one is outside of the root, or no
            image is left.
    """

    ANN_FILE = 'annotation file'  # what it is; 'annotation folder' in other formats
    METAINFO = dict(classes=COCO_CLASSES)
    LAYOUT = "a JSON of COCO's with `images`, `annotations` and `categories`, or in folders below"

    @classmethod
    def find_parts(cls, folder: Path) -> dict[str, dict]:
        """Return what a folder holds of this format, for `mmdet.datasets.formats.recognise`.

        Returns:
            Of `train`, `val` and `test`, or of `all` where it is not divided, the arguments
            `ann_file` and `data_prefix`, seen from the folder; {} where it is of another format.
        """
        return find_coco_parts(folder)

    def __init__(
        self,
        ann_file: str = '',
        *,
        data_prefix: dict | None = None,
        backend_args: dict | None = None,
        metainfo: Mapping | Config | None = None,
        data_root: str | None = '',
        filter_cfg: dict | None = None,
        indices: int | Sequence[int] | None = None,
        serialize_data: bool = True,
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = False,
        lazy_init: bool = False,
        max_refetch: int = 1000,
        max_unusable: float = 0.1,
        allow_outside_root: bool = False,
    ) -> None:
        if not 0 <= max_unusable <= 1:
            raise UserError(f'max_unusable={max_unusable} is no share: it is from 0 to 1')
        self.max_unusable = max_unusable
        self.backend_args = backend_args
        self.allow_outside_root = allow_outside_root
        data_prefix = dict(img='') if data_prefix is None else data_prefix
        if not isinstance(data_prefix.get('img'), str):
            raise UserError(
                f'data_prefix={dict(data_prefix)} does not name the folder of the images; '
                "write data_prefix=dict(img='FOLDER/')"
            )
        super().__init__(
            ann_file,
            metainfo=metainfo,
            data_root=data_root,
            data_prefix=data_prefix,
            filter_cfg=filter_cfg,
            indices=indices,
            serialize_data=serialize_data,
            pipeline=list(pipeline),
            test_mode=test_mode,
            lazy_init=lazy_init,
            max_refetch=max_refetch,
        )

    @property
    def source(self) -> str:
        """What messages call the data set: its annotation file, or else its images' folder."""
        return self.ann_file or self.data_prefix['img']

    def read(self) -> CocoFile:
        """Read the annotations, whatever their format, into COCO's form.

        Data sets of another format fill this in. The names of the images are those in the folder
        `data_prefix['img']`, or absolute.

        Raises:
            UserError: something is missing, or refused.
        """
        coco = read_coco_file(self.ann_file or '', self.backend_args)
        self.check_folder()
        if self._are_images_local():
            folder = self.data_prefix['img']
            coco.images = names_that_are_there(coco.images, folder, coco.findings)
        return coco

    def _roots(self) -> list[str]:
        """Return the folders that an image's name must not lead out of."""
        folder = self.data_prefix['img']
        return [self.data_root or folder, folder]

    def check_folder(self) -> None:
        """See that the folder of the images is there, if it is on a local disk.

        Raises:
            UserError: it is not.
        """
        folder = self.data_prefix['img']
        if self._are_images_local() and folder and not os.path.isdir(folder):
            raise UserError(f'{LAYOUT}\nimage folder {folder} does not exist')

    def load_data_list(self) -> list[dict]:
        """Read the annotations, and say what was repaired and left out."""
        with garbage_left_alone():
            return self._load_data_list()

    def _load_data_list(self) -> list[dict]:
        coco = self.read()
        items = self.data_list_of(coco)
        coco.say_findings()
        return items

    def data_list_of(self, coco: CocoFile) -> list[dict]:
        """Return the items of what was read, before `filter_cfg` leaves out any.

        Args:
            coco: what `read` returned; what training does without is added to its findings.

        Raises:
            UserError: its classes are not the data set's, or an image is outside of the root.
        """
        labels = self._match_classes(coco)
        self._check_names(coco.images)
        return [
            self._item(image, annotations, labels, coco.findings)
            for image, annotations in coco.by_image()
        ]

    def _match_classes(self, coco: CocoFile) -> dict[Identifier, int]:
        """Return the label of each category that is used."""
        # A format that names its classes itself has none here, unless the config names them.
        names = [category['name'] for category in coco.categories]
        return category_labels(coco, self._metainfo.setdefault('classes', tuple(names)))

    def _item(
        self,
        image: dict,
        annotations: Iterable[dict],
        labels: Mapping[Identifier, int],
        findings: Findings,
    ) -> dict:
        """Return an image's item of the data list; what it does not train on is added to findings.

        Args:
            image: as `CocoFile` has it.
            annotations: of the image, likewise.
            labels: as `_match_classes` returns them.
            findings: of the data set.
        """
        instances: list[dict] = []
        for annotation in annotations:
            if annotation['category_id'] not in labels:
                continue
            reason = why_untrained(annotation, image)
            if reason is None:
                instances.append(_instance(annotation, labels))
            elif not self.test_mode:
                findings.add(UNTRAINED, reason, place(annotation))
        return dict(
            img_path=join(self.data_prefix['img'], image['file_name']),
            img_id=image['id'],
            height=image['height'],
            width=image['width'],
            instances=instances,
        )

    def __getitem__(self, idx: int) -> dict:
        """Return a sample; in training, of another image where this one cannot be used.

        Raises:
            UserError: with `test_mode`, the image cannot be used; in training, none of
                `max_refetch` others can.
        """
        self.full_init()
        if self.test_mode:
            try:
                sample = self.prepare_data(idx)
            except UnusableImageError as error:
                # torchrun knows what ends a process by its class's name.
                raise UserError(str(error)) from None
            if sample is None:
                raise UserError(
                    f'the test pipeline gives nothing for {self._place(idx)}, with ignore_empty?'
                )
            return sample
        why = 'the pipeline left nothing of them, as FilterAnnotations and RandomCrop may'
        for _ in range(self.max_refetch + 1):
            try:
                sample = self.prepare_data(idx)
            except UnusableImageError as error:
                why, limit = str(error), self._unusable_of(len(self))
                note_unusable(UnusableImage(self._place(idx), why, self.source, limit, len(self)))
                sample = None
            if sample is not None:
                return sample
            idx = self._rand_another()
        raise UserError(
            f'{self.source}: {self.max_refetch + 1} images in a row cannot be used; the last: {why}'
        )

    def _place(self, idx: int) -> str:
        """Return what a message calls an image, the path of its file."""
        return self.get_data_info(idx)['img_path']

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the labels in an image, once for each instance to learn.

        `ClassBalancedDataset` asks for them.
        """
        instances = self.get_data_info(idx)['instances']
        return [obj['bbox_label'] for obj in instances if not obj['ignore_flag']]

    def filter_data(self) -> list[dict]:
        """Leave out images as `filter_cfg` says."""
        kept = self.data_list
        if len(kept) == 0 and self.test_mode:
            self.serialize_data = False  # mmengine cannot, of nothing
            return kept
        if len(kept) == 0:
            raise UserError(f'{self.source} has no images')
        if self.filter_cfg and not self.test_mode:
            kept = self.filtered()
        if self._indices is None:
            self._check_pictures(kept)
        elif self._indices == 0 or not np.size(self._indices):
            raise UserError(f'{self.source}: indices={self._indices} leaves no image')
        return kept

    def filtered(self) -> list[dict]:
        """Return what of the data list `filter_cfg` keeps.

        Raises:
            UserError: it has an unknown key, or keeps nothing.
        """
        return self._filtered(*filter_rules(self.filter_cfg or {}))

    def _filtered(self, min_size: int, skip_empty: bool) -> list[dict]:
        """Return what of the data list `filter_cfg` keeps."""
        is_small = self._shorter_sides() < min_size
        if is_small.any():
            first = [self._name(self.data_list[each]) for each in np.flatnonzero(is_small)[:_NAMED]]
            print_log(
                f'{self.source}: {is_small.sum()} images with a side below min_size={min_size} of '
                f'filter_cfg are left out: {", ".join(first)}'
                f'{", ..." if is_small.sum() > _NAMED else ""}',
                logger='current',
                level=logging.WARNING,
            )
        is_kept = ~is_small
        if skip_empty:
            is_kept &= self._have_objects()
        if not is_kept.any():
            raise UserError(
                f'{self.source}: none of its {len(self.data_list)} images is left after '
                f'filter_cfg={dict(self.filter_cfg or {})}'
            )
        return self._get_unserialized_subset(np.flatnonzero(is_kept).tolist())

    def _name(self, listed: dict) -> str:
        """Return what a message calls an image of the data list."""
        return listed['img_path']

    def _shorter_sides(self) -> np.ndarray:
        """Return the shorter side in pixels of each image of the data list."""
        return np.array([min(each['width'], each['height']) for each in self.data_list])

    def _have_objects(self) -> np.ndarray:
        """Return of each image of the data list whether there is an instance to learn in it."""
        return np.array([has_objects(each) for each in self.data_list])

    def _check_names(self, images: list[dict]) -> None:
        """Refuse names that lead out of the data set: the file is not to choose what is read."""
        if self.allow_outside_root:
            return
        roots = self._roots()
        for image in images:
            if leads_out(image['file_name'], self.data_prefix['img'], roots):
                raise UserError(
                    f'{self.source}: image {image["id"]!r} ({image["file_name"]}) is outside of '
                    f'{os.path.abspath(roots[0])}: if you trust the file, set '
                    'allow_outside_root=True in the dataset'
                )

    def _check_pictures(self, items: list[dict]) -> None:
        """Complain now of files that are not there, unless nothing is to be read."""
        if not self.reads_local_images():
            return
        names = {folder: files_in(folder) for folder in {dirname(i['img_path']) for i in items}}
        missing = [
            item['img_path']
            for item in items
            if (found := names[dirname(item['img_path'])]) is not None
            and basename(item['img_path']) not in found
        ]
        if missing:
            said = (
                f'{self.source}: {len(missing)} of {len(items)} images do not exist (first: '
                f'{missing[0]})'
            )
            if not self.test_mode and len(missing) <= self._unusable_of(len(items)):
                said += ': in training, others take their places'
                print_log(said, logger='current', level=logging.WARNING)
                return
            backslash = '; write / for the backslashes in file_name' if '\\' in missing[0] else ''
            raise UserError(
                f'{said}{backslash}; put them there, take them out of the annotation file, or name '
                'their folder in data_prefix=dict(img=...)'
            )

    def check_image_files(self) -> None:
        """See that each image can be used, from its first and last bytes, where it is on a disk.

        Raises:
            UserError: some cannot.
        """
        if not self.reads_local_images():
            return
        items = map(self.get_data_info, range(len(self)))  # one after the other: they may be large
        files = [ImageFile(each['img_path'], (each['height'], each['width'])) for each in items]
        errors = [str(error) for error in check_image_files(files) if error is not None]
        if errors:
            raise UserError(
                '\n'.join(
                    [
                        *(errors if len(errors) > 1 else ()),
                        f'{self.source}: {len(errors)} of {len(self)} images cannot be used, and '
                        f'figures without them would be of other data; the first: {errors[0]}',
                    ]
                )
            )

    def _unusable_of(self, number: int) -> int:
        """Return how many of a number of images may be unusable; 0.29 of 100 are 29."""
        return int(round(self.max_unusable * number, 6))

    def reads_local_images(self) -> bool:
        """Return whether the pipeline reads its images from a local disk."""
        reads = any(hasattr(each, 'imdecode_backend') for each in self.pipeline.transforms)
        return reads and self._are_images_local()

    def _are_images_local(self) -> bool:
        loaders = [each for each in self.pipeline.transforms if hasattr(each, 'imdecode_backend')]
        backend_args = self.backend_args
        if loaders:
            backend_args = getattr(loaders[0], 'backend_args', None)
        return isinstance(file_backend(self.data_prefix['img'], backend_args), LocalBackend)


def filter_rules(filter_cfg: Mapping) -> tuple[int, bool]:
    """Return the smallest side in pixels, and whether images without objects are left out.

    Raises:
        UserError: a `filter_cfg` has another key.
    """
    unknown = set(filter_cfg) - {'filter_empty_gt', 'min_size'}
    if unknown:
        raise UserError(
            f'unknown key {min(unknown)!r} in filter_cfg; known are filter_empty_gt, min_size'
        )
    return filter_cfg.get('min_size', 0), filter_cfg.get('filter_empty_gt', False)


def has_objects(item: Mapping) -> bool:
    """Return whether there is an instance to learn in an item of a data list."""
    return not all(instance['ignore_flag'] for instance in item['instances'])


def _instance(annotation: dict, labels: Mapping[Identifier, int]) -> dict:
    x, y, width, height = annotation['bbox']
    return dict(
        bbox=[x, y, x + width, y + height],
        bbox_label=labels[annotation['category_id']],
        ignore_flag=annotation['iscrowd'],
        mask=annotation['segmentation'],
    )
