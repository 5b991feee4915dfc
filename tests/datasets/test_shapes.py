import hashlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from mmdet.datasets import shapes
from tests.conftest import REPO


@pytest.fixture(scope='module')
def drawn():
    return [shapes.draw_image(np.random.default_rng([0, 0, index])) for index in range(20)]


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'shapes'
    shapes.draw_dataset(root, num_train=20, num_val=6, seed=0, num_workers=2)
    return root


@pytest.fixture(scope='module')
def coco(root):
    return COCO(root / 'annotations' / 'instances_train2017.json')


def digests(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob('*') if path.is_file()]
    return {str(f.relative_to(root)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_the_files_are_those_of_coco(root):
    for split, num_images in (('train2017', 20), ('val2017', 6)):
        content = json.loads((root / 'annotations' / f'instances_{split}.json').read_text())
        assert [c['name'] for c in content['categories']] == list(shapes.CLASSES)
        assert len(content['images']) == len(list((root / split).iterdir())) == num_images
        for record in content['images']:
            image = cv2.imread(str(root / split / record['file_name']))
            assert image.shape == (record['height'], record['width'], 3)


def test_annotations_say_what_their_masks_say(coco):
    assert set(coco.anns) == set(range(1, len(coco.anns) + 1))
    for annotation in coco.anns.values():
        mask = coco.annToMask(annotation)
        assert annotation['area'] == mask.sum()
        assert annotation['bbox'] == list(cv2.boundingRect(mask))
        assert annotation['iscrowd'] == 0


def test_annotations_agree_with_what_was_drawn(coco, drawn):
    for image_id in coco.imgs:
        _, labels, masks = drawn[image_id - 1]
        annotations = coco.imgToAnns[image_id]
        assert [a['category_id'] - 1 for a in annotations] == labels
        for annotation, mask in zip(annotations, masks, strict=True):
            decoded = coco.annToMask(annotation)
            assert (mask & decoded).sum() > 0.9 * (mask | decoded).sum()


def test_both_polygons_and_run_lengths_occur(coco):
    kinds = {type(annotation['segmentation']) for annotation in coco.anns.values()}
    assert kinds == {list, dict}


def test_the_seed_alone_decides_the_bytes(root, tmp_path):
    shapes.draw_dataset(tmp_path / 'same', num_train=20, num_val=6, seed=0, num_workers=1)
    shapes.draw_dataset(tmp_path / 'other', num_train=20, num_val=6, seed=1)
    assert digests(tmp_path / 'same') == digests(root)
    other = digests(tmp_path / 'other')
    assert other.keys() == digests(root).keys()
    assert not set(other.values()) & set(digests(root).values())


def test_the_splits_share_no_image(root):
    hashes = list(digests(root).values())
    assert len(set(hashes)) == len(hashes)


def test_an_image_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(OSError, match=r'cannot write .*none/000000000001\.jpg'):
        shapes._write_image(0, folder=tmp_path / 'none', seed=(0, 0), draw=shapes.draw_image)


def test_an_interrupted_drawing_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(shapes, '_draw_split', interrupt)
    with pytest.raises(KeyboardInterrupt):
        shapes.draw_dataset(tmp_path / 'shapes', num_train=1, num_val=1, num_workers=1)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_put_in_its_place_is_an_error(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError('no')

    monkeypatch.setattr(shapes.Path, 'rename', refuse)
    monkeypatch.setattr(shapes, '_draw_split', lambda *args, **kwargs: None)
    with pytest.raises(OSError, match='no'):
        shapes.draw_dataset(tmp_path / 'shapes', num_train=1, num_val=1, num_workers=1)
    assert not list(tmp_path.iterdir())


def test_the_loser_of_a_race_discards_its_own(tmp_path, monkeypatch):
    root = tmp_path / 'shapes'
    draw_split = shapes._draw_split

    def draw_split_while_another_process_finishes(*args, **kwargs):
        monkeypatch.setattr(shapes, '_draw_split', draw_split)
        shapes.draw_dataset(root, num_train=2, num_val=1, seed=0, num_workers=1)
        draw_split(*args, **kwargs)

    monkeypatch.setattr(shapes, '_draw_split', draw_split_while_another_process_finishes)
    shapes.draw_dataset(root, num_train=2, num_val=1, seed=1, num_workers=1)
    assert list(tmp_path.iterdir()) == [root]
    content = json.loads((root / 'annotations' / 'instances_train2017.json').read_text())
    assert content['info']['seed'] == 0


@pytest.mark.parametrize('wrong', [{'num_train': 0}, {'num_val': -1}, {'seed': -1}])
def test_numbers_out_of_range_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match='must be at least'):
        shapes.draw_dataset(tmp_path / 'shapes', **wrong)
    assert not list(tmp_path.iterdir())


def test_the_command_draws_into_an_empty_folder(tmp_path, capsys):
    assert shapes.main([str(tmp_path), '--num-train', '2', '--num-val', '1']) == 0
    assert 'train2017: drew 2 of 2 images' in capsys.readouterr().out
    assert len(list((tmp_path / 'train2017').iterdir())) == 2


def test_the_command_refuses_a_folder_in_use(tmp_path):
    (tmp_path / 'precious.txt').write_text('keep me')
    command = [sys.executable, '-m', 'mmdet.datasets.shapes', str(tmp_path)]
    result = subprocess.run(command, cwd=REPO, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr == f'error: {tmp_path} exists already and is not an empty folder\n'
    assert [path.name for path in tmp_path.iterdir()] == ['precious.txt']


def test_other_sizes_and_numbers(tmp_path):
    shapes.draw_dataset(tmp_path / 'tiny', 12, 1, max_objects=40, sizes=(10, 14))
    content = json.loads((tmp_path / 'tiny/annotations/instances_train2017.json').read_text())
    scales = [(each['bbox'][2] * each['bbox'][3]) ** 0.5 for each in content['annotations']]
    numbers = Counter(each['image_id'] for each in content['annotations'])
    assert 12 < max(numbers.values()) <= 40
    assert (
        6 < max(scales) <= 17
    )  # of what is seen: an object may be hidden in part, or off by a pixel


@pytest.mark.parametrize(
    'changes', [dict(max_objects=0), dict(max_objects=256), dict(sizes=(9, 8))]
)
def test_sizes_and_numbers_that_are_none(tmp_path, changes):
    with pytest.raises(ValueError, match='max_objects must be'):
        shapes.draw_dataset(tmp_path / 'none', 1, 1, **changes)
