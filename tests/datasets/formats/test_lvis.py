"""As https://www.lvisdataset.org/dataset describes it: v0.5 and v1."""

import json
from pathlib import Path

import cv2
import pytest

from mmdet.datasets import CocoDataset, LVISDataset, LVISV05Dataset, LVISV1Dataset
from mmdet.errors import UserError
from mmdet.registry import DATASETS

from .scene import CLASSES, SCENE, assert_is_scene

NUMBERS = dict(a=391895, b=522418, c=184613)
IDS = (2, 5, 9)  # LVIS's have no gaps, but one may take some of them


def content(release: str) -> dict:
    images, annotations = [], []
    for picture in SCENE:
        number = NUMBERS[picture.name]
        image = dict(
            id=number,
            height=picture.height,
            width=picture.width,
            license=1,
            flickr_url='',
            coco_url=f'http://images.cocodataset.org/val2017/{number:012}.jpg',
            date_captured='2013-11-14 11:18:45',
            neg_category_ids=[2],
            not_exhaustive_category_ids=[],
        )
        if release == 'v0.5':
            image['file_name'] = f'COCO_val2014_{number:012}.jpg'
        images.append(image)
        for thing in picture.things:
            (x1, y1), (x2, y2) = thing.outline.min(0), thing.outline.max(0)
            annotation = dict(
                id=len(annotations) + 1,
                image_id=number,
                category_id=IDS[thing.label],
                segmentation=[thing.outline.ravel().tolist()],
                bbox=[x1, y1, x2 - x1, y2 - y1],
                area=float(thing.mask(picture.height, picture.width).sum()),
            )
            annotations.append(annotation)
    categories = [
        dict(id=number, name=name, synset='', frequency='f', image_count=3, instance_count=3)
        for number, name in zip(IDS, CLASSES, strict=True)
    ]
    return dict(images=images, annotations=annotations, categories=categories[::-1])


def write(root: Path, release: str) -> None:
    folder = root / ('val2017' if release == 'v1' else 'train2017')
    folder.mkdir(parents=True)
    (root / 'annotations').mkdir()
    text = json.dumps(content(release))
    (root / f'annotations/lvis_{release}_val.json').write_text(text)
    for picture in SCENE:
        # The scene knows its pictures by their names.
        path = folder / f'{NUMBERS[picture.name]:012}.jpg'
        cv2.imwrite(str(path), picture.pixels())


class Renamed:
    """A data set whose pictures have the scene's names."""

    def __init__(self, dataset: CocoDataset) -> None:
        self.dataset = dataset
        self.metainfo = dataset.metainfo

    def __len__(self) -> int:
        return len(self.dataset)

    def get_data_info(self, index: int) -> dict:
        item = self.dataset.get_data_info(index)
        path = Path(item['img_path'])
        assert path.is_file()
        (name,) = [name for name, number in NUMBERS.items() if number == int(path.stem)]
        return {**item, 'img_path': str(path.with_stem(name))}


@pytest.mark.parametrize(('cls', 'release'), [(LVISV05Dataset, 'v0.5'), (LVISV1Dataset, 'v1')])
def test_it_is_the_scene(tmp_path, cls, release):
    """Its classes are in the order of their ids, whatever that of the file."""
    write(tmp_path, release)
    (found,) = cls.find_parts(tmp_path).items()
    assert found[0] == 'val'
    assert_is_scene(Renamed(cls(data_root=str(tmp_path), **found[1])))
    other = LVISV1Dataset if cls is LVISV05Dataset else LVISV05Dataset
    assert other.find_parts(tmp_path) == {}


def test_names_of_mmdetection():
    assert DATASETS.get('LVISDataset') is DATASETS.get('LVISV05Dataset') is LVISDataset


def test_a_file_without_names_is_refused(tmp_path):
    write(tmp_path, 'v1')
    path = tmp_path / 'annotations/lvis_v1_val.json'
    broken = content('v1')
    del broken['images'][0]['coco_url']
    broken['images'][1] = 'b'
    path.write_text(json.dumps(broken))
    with pytest.raises(UserError, match=r"entry 1 of 'images' is no object .and 2 more"):
        LVISV1Dataset(data_root=str(tmp_path), ann_file=str(path))
    broken['images'][1] = content('v1')['images'][1]
    path.write_text(json.dumps(broken))
    with pytest.raises(UserError, match=r'image 391895 \(None\) has no file_name'):
        LVISV1Dataset(data_root=str(tmp_path), ann_file=str(path))


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(UserError, match=r'none\.json does not exist'):
        LVISV1Dataset(data_root=str(tmp_path), ann_file='none.json')
    write(tmp_path, 'v1')
    ann_file = 'annotations/lvis_v1_val.json'
    with pytest.raises(UserError, match=r'image folder .*/none does not exist'):
        LVISV1Dataset(data_root=str(tmp_path), ann_file=ann_file, data_prefix=dict(img='none'))
