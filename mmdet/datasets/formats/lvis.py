"""LVIS: COCO's form and COCO's pictures, with rules of its own for names.

https://www.lvisdataset.org/dataset: the classes are the file's, by their ids. Not each image is
annotated with all of them, which is for `LVISMetric` to know: an image says which classes it has
none of (`neg_category_ids`) and of which not all (`not_exhaustive_category_ids`). In training, as
in mmdetection, what is not annotated is background.
"""

from collections.abc import Callable
from pathlib import Path

from mmdet.datasets.coco import CocoDataset
from mmdet.datasets.coco_file import CocoFile, accepted, garbage_left_alone, read_content
from mmdet.datasets.coco_values import whole_number
from mmdet.datasets.findings import Findings
from mmdet.registry import DATASETS

_COCO_NAME = 16  # letters: 000000391895.jpg


def name_in_v05(image: dict) -> object:
    """Return the name of an image of LVIS v0.5, which has the year of COCO 2014's before it.

    Examples:
        >>> name_in_v05({'file_name': 'COCO_val2014_000000391895.jpg'})
        '000000391895.jpg'
    """
    name = image.get('file_name')
    is_2014 = isinstance(name, str) and name.startswith('COCO_')
    return name[-_COCO_NAME:] if is_2014 else name


def name_in_v1(image: dict) -> object:
    """Return the name of an image of LVIS v1, which the address has, with its folder.

    Examples:
        >>> name_in_v1({'coco_url': 'http://images.cocodataset.org/train2017/000000391895.jpg'})
        'train2017/000000391895.jpg'
    """
    url = image.get('coco_url')
    return '/'.join(url.split('/')[-2:]) if isinstance(url, str) else name_in_v05(image)


def read_lvis_file(
    path: str,
    backend_args: dict | None = None,
    name_of: Callable[[dict], object] = name_in_v1,
) -> CocoFile:
    """Read an annotation file of LVIS's; see `coco_file.py` for what is wrong in it.

    Args:
        path: of the file.
        backend_args: of mmengine's storage backend, if the file is not on a local disk.
        name_of: an image's name.

    Raises:
        UserError: the file is missing, is not JSON, has not COCO's form, or is refused as a whole.
    """
    with garbage_left_alone():
        content = read_content(path, backend_args)
        images = [
            {**image, 'file_name': name_of(image)} if isinstance(image, dict) else image
            for image in content['images']
        ]
        coco = accepted({**content, 'images': images}, path, Findings())
    coco.categories.sort(key=lambda each: (whole_number(each['id']) or 0, str(each['id'])))
    return coco


class _LVIS(CocoDataset):
    """What both releases have in common."""

    METAINFO: dict = {}
    release = ''
    name_of: Callable[[dict], object]

    def read(self) -> CocoFile:
        """Read the annotation file."""
        coco = read_lvis_file(self.ann_file or '', self.backend_args, type(self).name_of)
        self.check_folder()
        return coco

    @classmethod
    def find_parts(cls, folder: Path) -> dict[str, dict]:
        """Return the arguments of each part that a folder holds in this format.

        Args:
            folder: that may hold anything.

        Returns:
            Of `train` and `val`, `ann_file` and `data_prefix` in the folder, where COCO's pictures
            are too; of a folder of another format, nothing, nor of one with COCO's own
            annotations beside them.
        """
        if any((folder / 'annotations').glob('instances_*.json')):
            return {}
        prefix = dict(img='') if cls.name_of is name_in_v1 else dict(img='train2017/')
        names = {part: f'annotations/lvis_{cls.release}_{part}.json' for part in ('train', 'val')}
        return {
            part: dict(ann_file=name, data_prefix=prefix)
            for part, name in names.items()
            if (folder / name).is_file()
        }


@DATASETS.register_module()
class LVISV05Dataset(_LVIS):
    """Images and instances of LVIS v0.5, of 1,230 classes; also as `LVISDataset`.

    Its images are COCO's of 2017's training: `data_prefix=dict(img='train2017/')`. All else is as
    in `CocoDataset`.
    """

    LAYOUT = 'annotations/lvis_v0.5_train.json'
    release = 'v0.5'
    name_of = staticmethod(name_in_v05)


@DATASETS.register_module()
class LVISV1Dataset(_LVIS):
    """Images and instances of LVIS v1, of 1,203 classes.

    Its images are COCO's of 2017, whose folders `train2017` and `val2017` are in `data_root`. All
    else is as in `CocoDataset`.
    """

    LAYOUT = 'annotations/lvis_v1_train.json'
    release = 'v1'
    name_of = staticmethod(name_in_v1)


LVISDataset = LVISV05Dataset
DATASETS.register_module(name='LVISDataset', module=LVISDataset)
