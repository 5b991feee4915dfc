"""SA-1B's layout: beside each image a JSON file of its annotations.

https://ai.meta.com/datasets/segment-anything/: `sa_000000/sa_1.jpg` and `sa_000000/sa_1.json`, with
`image` (`image_id`, `width`, `height`, `file_name`) and `annotations`, each a mask as RLE and no
category.
"""

import json
import os
from pathlib import Path

import numpy as np

from mmdet.datasets.coco import filter_rules, has_objects
from mmdet.datasets.image_file import UnusableImageError
from mmdet.errors import UserError
from mmdet.registry import DATASETS

from .on_demand import OnDemandDataset, Store

_JSON = '.json'


@DATASETS.register_module()
class SA1BDataset(OnDemandDataset):
    """Images and masks in SA-1B's layout, all of one class, `object`.

    `data_prefix=dict(img=...)` is a folder with images and their JSON files, in it or below; there
    is no `ann_file`. An image's name in its JSON file is in the same folder. To leave images out,
    `filter_cfg` would have to read all files at the start: it is applied when an image is read, and
    another one takes its place. All else is as in `OnDemandDataset`.

    Raises:
        UserError: see `OnDemandDataset`; there is no such folder, or no JSON file in it.
    """

    METAINFO = dict(classes=('object',))
    LAYOUT = 'JSON files with `image` and `annotations`, each beside its image'

    def open_store(self) -> 'JsonFiles':
        """List the JSON files."""
        if self.ann_file:
            raise UserError(
                f'SA1BDataset has no annotation file: leave ann_file={self.ann_file!r} out'
            )
        return JsonFiles(self.data_prefix['img'])

    def prepare_data(self, idx: int) -> dict | None:
        """Return a sample; None where `filter_cfg` leaves the image out."""
        item = self.get_data_info(idx)
        min_size, skip_empty = filter_rules(self.filter_cfg or {})
        is_small = min(item['height'], item['width']) < min_size
        if not self.test_mode and (is_small or (skip_empty and not has_objects(item))):
            return None
        return self.pipeline(item)

    def _filtered(self, min_size: int, skip_empty: bool) -> list[dict]:
        return self.data_list  # it is done when an image is read

    @classmethod
    def find_parts(cls, folder: Path) -> dict[str, dict]:
        """Return no part: a folder of JSON files is other formats', too."""
        return {}


class JsonFiles(Store):
    """JSON files in a folder and those below, in the order of their names.

    Of a file the name alone is kept, without its ending: 11 bytes for SA-1B's.

    Args:
        root: the folder.

    Raises:
        UserError: there is no such folder, or no JSON file in it.
    """

    def __init__(self, root: str) -> None:
        if not os.path.isdir(root):
            raise UserError(
                f'image folder {root} does not exist: name the folder of images and JSON files in '
                'data_prefix=dict(img=...)'
            )
        self.categories = [dict(id=1, name='object')]
        self._root = root
        self._folders: list[str] = []
        self._names: list[np.ndarray] = []
        for folder, below, files in os.walk(root, followlinks=True):
            below.sort()
            names = [os.fsencode(each[: -len(_JSON)]) for each in files if each.endswith(_JSON)]
            if names:
                self._folders.append(os.path.relpath(folder, root))
                self._names.append(np.sort(np.array(names)))
        if not self._names:
            raise UserError(f'{root} has no JSON file, in it or in a folder below')
        self._ends = np.cumsum([len(each) for each in self._names])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def place(self, position: int) -> str:
        """Return the path of the JSON file."""
        folder, name = self._find(position)
        return os.path.normpath(os.path.join(self._root, folder, name + _JSON))

    def _find(self, position: int) -> tuple[str, str]:
        number = int(np.searchsorted(self._ends, position, side='right'))
        names = self._names[number]
        name = names[position - (self._ends[number] - len(names))]
        return self._folders[number], os.fsdecode(bytes(name))

    def read(self, position: int) -> tuple[dict, list[dict]]:
        """Read a JSON file."""
        path = self.place(position)
        try:
            content = json.loads(Path(path).read_bytes())
        except OSError as error:
            raise UnusableImageError(f'{path} cannot be read: {error.strerror}') from None
        except (ValueError, RecursionError) as error:  # of the JSON, of its text
            raise UnusableImageError(
                f'{path} is not JSON ({error}); is the download complete?'
            ) from None
        image = content.get('image') if isinstance(content, dict) else None
        annotations = content.get('annotations') if isinstance(content, dict) else None
        if (
            not isinstance(image, dict)
            or not isinstance(annotations, list)
            or not all(isinstance(each, dict) for each in annotations)
        ):
            raise UnusableImageError(
                f"{path} is no annotation file of SA-1B's: it has no `image`, or no list of "
                '`annotations`'
            )
        name = image.get('file_name')
        if isinstance(name, str) and name:
            name = os.path.normpath(os.path.join(self._find(position)[0], name))
        fields = dict(id=image.get('image_id'), file_name=name)
        sizes = {key: image.get(key) for key in ('height', 'width')}
        return fields | sizes, [{**each, 'category_id': 1} for each in annotations]
