"""Data sets in COCO's format."""

from collections import defaultdict
from os.path import join

from mmengine.dataset import BaseDataset
from mmengine.fileio import LocalBackend

from mmdet.errors import UserError
from mmdet.registry import DATASETS

from .coco_classes import COCO_CLASSES
from .coco_file import LAYOUT, category_labels, read_coco_file
from .file_backend import file_backend


@DATASETS.register_module()
class CocoDataset(BaseDataset):
    """Images and instances of a COCO annotation file.

    Beside mmengine's arguments (`ann_file`, `data_root`, `data_prefix`, `pipeline`, `test_mode`,
    ...):

    - `metainfo=dict(classes=(...))` names the categories to use, in the order of their labels.
    - `filter_cfg=dict(filter_empty_gt=..., min_size=...)` leaves out images without an instance
      to learn, and images with a side below `min_size` pixels. It is for training: with
      `test_mode` every image stays.

    Each item of the data list has `img_path`, `img_id`, `height`, `width` and `instances`, each
    of these a dict of `bbox` (x1, y1, x2, y2 in pixels), `bbox_label`, `mask` (COCO's
    segmentation: polygons or RLE) and `ignore_flag` (1 for a crowd region).

    Args:
        ann_file: the annotation file, in `data_root` unless absolute.
        backend_args: of mmengine's storage backend, if the annotation file is not on a local
            disk; images are read with those of `LoadImageFromFile`.
        **dataset_kwargs: mmengine's arguments.
    """

    METAINFO = dict(classes=COCO_CLASSES)

    def __init__(
        self, ann_file: str = '', *, backend_args: dict | None = None, **dataset_kwargs: object
    ) -> None:
        self.backend_args = backend_args
        super().__init__(ann_file, **dataset_kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the annotation file."""
        content = read_coco_file(self.ann_file, self.backend_args)
        folder = self.data_prefix['img']
        backend = file_backend(folder, self.backend_args)
        if isinstance(backend, LocalBackend) and not backend.isdir(folder):
            raise UserError(f'{LAYOUT}\nimage folder {folder} does not exist')
        labels = category_labels(content, tuple(self.metainfo['classes']), self.ann_file)
        annotations = defaultdict(list)
        for annotation in content['annotations']:
            annotations[annotation['image_id']].append(annotation)
        return [
            dict(
                img_path=join(folder, image['file_name']),
                img_id=image['id'],
                height=image['height'],
                width=image['width'],
                instances=[
                    _instance(annotation, labels)
                    for annotation in annotations[image['id']]
                    if _is_usable(annotation, labels, image)
                ],
            )
            for image in sorted(content['images'], key=lambda image: image['id'])
        ]

    def filter_data(self) -> list[dict]:
        """Leave out images as `filter_cfg` says."""
        if self.test_mode or self.filter_cfg is None:
            return self.data_list
        unknown = set(self.filter_cfg) - {'filter_empty_gt', 'min_size'}
        if unknown:
            raise UserError(
                f'unknown key {min(unknown)!r} in filter_cfg; known are filter_empty_gt, min_size'
            )
        min_size = self.filter_cfg.get('min_size', 0)
        skip_empty = self.filter_cfg.get('filter_empty_gt', False)
        kept = [
            item
            for item in self.data_list
            if min(item['width'], item['height']) >= min_size
            and not (skip_empty and all(obj['ignore_flag'] for obj in item['instances']))
        ]
        if not kept:
            raise UserError(
                f'{self.ann_file}: none of its {len(self.data_list)} images is left after '
                f'filter_cfg={dict(self.filter_cfg)}'
            )
        return kept


def _is_usable(annotation: dict, labels: dict[int, int], image: dict) -> bool:
    """Return whether an annotation is of a wanted category and has an extent in the image."""
    x, y, width, height = annotation['bbox']
    inside = min(x + width, image['width']) > max(x, 0) and min(y + height, image['height']) > max(
        y, 0
    )
    return (
        annotation['category_id'] in labels
        and not annotation.get('ignore', False)
        and inside
        and annotation.get('area', 1) > 0
        and width >= 1
        and height >= 1
    )


def _instance(annotation: dict, labels: dict[int, int]) -> dict:
    x, y, width, height = annotation['bbox']
    instance = dict(
        bbox=[x, y, x + width, y + height],
        bbox_label=labels[annotation['category_id']],
        ignore_flag=int(bool(annotation.get('iscrowd', False))),
    )
    if annotation.get('segmentation'):
        instance['mask'] = annotation['segmentation']
    return instance
