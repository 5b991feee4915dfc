"""Data sets that outgrow memory: an image's annotations are read when the image is asked for.

The data list has positions in a store of files, 4 bytes each, in the place of dicts, and the store
keeps no annotation. Worker processes share both with the process that they are forked from; what
was read is kept by the system alone, for all processes of the machine.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mmdet.datasets.coco import CocoDataset
from mmdet.datasets.coco_annotations import repaired
from mmdet.datasets.coco_file import CocoFile
from mmdet.datasets.coco_images import check_images
from mmdet.datasets.coco_values import identifier_key
from mmdet.datasets.findings import REPAIRED, Findings, ListedFindings
from mmdet.datasets.image_file import UnusableImageError
from mmdet.datasets.met_findings import note_findings
from mmdet.datasets.segmentation_check import UnusableMaskError
from mmdet.errors import UserError

_LOOKED_FOR = 100  # images, when the data set is opened


class Store(ABC):
    """Files that hold images and annotations in COCO's form.

    Attributes:
        categories: with `id` and `name`.
    """

    categories: list[dict]

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of images."""

    @abstractmethod
    def place(self, position: int) -> str:
        """Say in which file an image's annotations are, without reading it."""

    @abstractmethod
    def read(self, position: int) -> tuple[dict, list[dict]]:
        """Read an image and its annotations, as the file has them.

        Raises:
            UnusableImageError: the file is missing or broken there.
        """


class OnDemandDataset(CocoDataset):
    """A data set whose annotations are read image by image.

    A subclass fills in `open_store`. What is wrong in the files is repaired as in `CocoDataset`. As
    it is met one by one, the log has the first of each kind when it is met, and a training at its
    end how many there were. An image with an annotation that would have to be
    left out cannot be used, as if its picture were broken: in training it is noted, and another one
    takes its place; with `test_mode` it is refused. That the images exist is seen when they are
    read; it is complained of at once if none of a hundred does.

    Raises:
        UserError: see `CocoDataset`; `serialize_data` is False, which would keep dicts.
    """

    METAINFO: dict = {}

    def open_store(self) -> Store:
        """Find the files, without reading annotations.

        Raises:
            UserError: something is missing, or refused.
        """
        raise NotImplementedError

    def load_data_list(self) -> Any:  # mmengine says that it is a list of dicts
        """Return the positions of all images, (N,) int32."""
        if not self.serialize_data:
            raise UserError(
                f'{self.source}: serialize_data=False would keep a dict for each image, and this '
                'data set keeps none: leave it out'
            )
        self.serialize_data = False  # mmengine is to take the positions as they are
        self._open()
        return np.arange(len(self._store), dtype=np.int32)

    def _open(self) -> None:
        self._store = self.open_store()
        coco = CocoFile(self.source, [], [], self._store.categories, Findings())
        self._labels = self._match_classes(coco)
        self._category_ids = {identifier_key(each['id']): each['id'] for each in coco.categories}

    def read(self) -> CocoFile:
        """Read all of it into memory; see `by_image` for what takes less."""
        images: list[dict] = []
        annotations: list[dict] = []
        for image, found in self.by_image():
            images.append(image)
            first = len(annotations) + 1
            annotations += ({**each, 'id': number} for number, each in enumerate(found, first))
        return CocoFile(self.source, images, annotations, self._store.categories, Findings())

    def by_image(self) -> Iterator[tuple[dict, list[dict]]]:
        """Yield each image of the files with its annotations, one after the other.

        Raises:
            UserError: one of them cannot be used.
        """
        self._open()
        for position in range(len(self._store)):
            yield self._entry(position, Findings())

    def _entry(self, position: int, findings: Findings) -> tuple[dict, list[dict]]:
        """Return an image and its annotations, as `CocoFile` has them.

        Args:
            position: in the store.
            findings: what is repaired is added here.

        Raises:
            UnusableImageError: they cannot be used.
            UserError: the image's name leads out of the data set.
        """
        given, entries = self._store.read(position)
        where = self._store.place(position)
        images = check_images([given], findings)
        if not images:
            raise UnusableImageError(f'{where}: {findings.first_refused()}')
        self._check_names(images)
        (image,) = images
        image_of = {identifier_key(image['id']): image}
        annotations: list[dict] = []
        for number, entry in enumerate(entries):
            annotation = {**entry, 'image_id': image['id']}
            try:
                fields, repairs, _ = repaired(annotation, image_of, self._category_ids)
            except UnusableMaskError as reason:
                raise UnusableImageError(f'{where}: annotation {number} is one {reason}') from None
            for repair in repairs:
                findings.add(REPAIRED, repair, f'{where}: annotation {number}')
            annotations.append({**annotation, **fields})
        return image, annotations

    def _item_at(self, position: Any) -> dict:
        findings = ListedFindings()
        item = self._item(*self._entry(int(position), findings), self._labels, findings)
        note_findings(self.source, findings)
        return item

    def get_data_info(self, idx: int) -> dict:
        """Read an item of the data list; see `CocoDataset`.

        Raises:
            UnusableImageError: its annotations cannot be used.
        """
        self.full_init()
        return self._item_at(self.data_list[idx]) | dict(sample_idx=idx % len(self))

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the labels in an image; see `CocoDataset`.

        One whose annotations cannot be used has none: another takes its place.
        """
        try:
            return super().get_cat_ids(idx)
        except UnusableImageError:
            return []

    def _place(self, idx: int) -> str:
        return self._name(self.data_list[idx])

    def _name(self, listed: Any) -> str:
        return self._store.place(int(listed))

    def _get_unserialized_subset(self, indices: Sequence[int] | int) -> Any:
        positions = np.asarray(self.data_list)
        if not isinstance(indices, int):
            return positions[np.asarray(indices, int)]
        return positions[:indices] if indices >= 0 else positions[indices:]

    def _check_pictures(self, items: Any) -> None:
        if not self.reads_local_images():
            return
        some = np.linspace(0, len(items) - 1, min(len(items), _LOOKED_FOR)).astype(int)
        first = None
        for position in items[some].tolist():
            try:
                path = self._item_at(position)['img_path']
            except UnusableImageError as error:
                first = first or str(error)
                continue
            if os.path.exists(path):
                return
            first = first or f'{path} does not exist'
        raise UserError(
            f'{self.source}: none of {len(some)} images that were looked for can be used; the '
            f'first: {first}; their folder is named in data_prefix=dict(img=...)'
        )
