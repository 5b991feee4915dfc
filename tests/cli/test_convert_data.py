"""`mmdet-solo convert-data`, with what may go wrong; and what other programs read of its files."""

import json
import os
import shutil
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet.cli.convert_data import main
from mmdet.datasets.conversion import to_yolo
from mmdet.datasets.conversion.collection import Collection
from mmdet.errors import UserError, exit_on_user_error
from tests.datasets.conversion.mixed import assert_same, masks, read, write_mixed
from tests.processes import run_tool


def convert(*arguments: object) -> None:
    main([*map(str, arguments)])


def by_name(collection: Collection, part: str) -> list[tuple[str, np.ndarray]]:
    """Return the masks of a part in the order of the images' names, which is all that some keep."""
    collection.parts[part].sort(key=lambda picture: picture.image['file_name'])
    return masks(collection, part)


@pytest.fixture
def source(tmp_path) -> Path:
    return write_mixed(tmp_path / 'in')


def test_the_tool(source, tmp_path, environment):
    run = run_tool(
        *(
            'tools/dataset_converters/convert.py',
            str(source),
            '--to',
            'yolo',
            str(tmp_path / 'out'),
        ),
        environment=environment,
    )
    assert run.returncode == 0, run.stderr
    first, last = run.stdout.splitlines()[-2:]
    assert first == f'{source}: train 2 images; 3 classes'
    assert last.startswith(f'{tmp_path}/out: 2 left out: 1 crowds, which the format cannot hold')
    assert_same(masks(read(source))[:-1], masks(read(tmp_path / 'out')))


def test_a_split(shapes_root, tmp_path, capsys):
    convert(shapes_root, '--to', 'labelme', tmp_path / 'out', '--split', 0.6, 0.2, 0.2, '--link')
    assert 'train 11, val 4, test 4 images; 8 classes' in capsys.readouterr().out
    images = [*(tmp_path / 'out').rglob('*.jpg'), *(tmp_path / 'out').rglob('*.png')]
    assert len(images) == 19
    assert all(path.stat().st_nlink == 2 for path in images)
    assert all(path.with_suffix('.json').is_file() for path in images)


def test_the_seed(shapes_root, tmp_path):
    for name, seed in dict(a=(), b=('--seed', 0), c=('--seed', 1)).items():
        split = (tmp_path / name, '--split', 0.5, 0.5, *seed, '--link')
        convert(shapes_root, '--to', 'yolo', *split)
    a, b, c = (sorted(os.listdir(tmp_path / name / 'images/val')) for name in 'abc')
    assert a == b != c


def test_images_outside_of_the_source(source, tmp_path):
    (source / 'images/a.png').rename(tmp_path / 'a.png')
    path = source / 'result.json'
    path.write_text(path.read_text().replace('a.png', '../../a.png'))
    arguments = (source, '--to', 'coco', tmp_path / 'out')
    with pytest.raises(UserError, match='--allow-outside-root'):
        convert(*arguments)
    convert(*arguments, '--allow-outside-root')
    assert len([*(tmp_path / 'out/train').rglob('*.png')]) == 2


@pytest.mark.parametrize('between', ['yolo', 'labelme'])
def test_parts_stay(shapes_root, tmp_path, between):
    convert(shapes_root, '--to', between, tmp_path / between)
    convert(tmp_path / between, '--to', 'coco', tmp_path / 'coco')
    before, after = read(shapes_root), read(tmp_path / 'coco')
    assert before.classes == after.classes
    for part in ('train', 'val'):
        assert_same(by_name(before, part), by_name(after, part))


@pytest.mark.parametrize('between', ['yolo', 'labelme'])
def test_real_images(shared, tmp_path, capsys, between):
    """COCO's own: crowds, tiny objects, objects of parts that overlap."""
    coco = shared / 'data/coco_tiny'
    if not coco.is_dir():
        pytest.skip(f'{coco} with real images is absent')
    for path in ('annotations/instances_val2017.json', 'val2017'):
        (tmp_path / 'in' / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'in' / path).symlink_to(coco / path)
    convert(tmp_path / 'in', '--to', between, tmp_path / between, '--link')
    assert '11 left out: 11 crowds' in capsys.readouterr().out
    convert(tmp_path / between, '--to', 'coco', tmp_path / 'coco', '--link')
    before, after = read(tmp_path / 'in'), read(tmp_path / 'coco')
    assert before.classes == after.classes
    assert_same(by_name(before, 'val'), by_name(after, 'val'))


def test_an_annotation_file(source, tmp_path):
    before = masks(read(source))
    shutil.move(source / 'images', tmp_path / 'pictures')
    file = source / 'result.json'
    with pytest.raises(UserError, match='--images DIR'):
        convert(file, '--to', 'coco', tmp_path / 'out')
    convert(file, '--images', tmp_path / 'pictures', '--to', 'coco', tmp_path / 'out')
    assert_same(before, masks(read(tmp_path / 'out')))
    file.rename(source / 'result.txt')
    named = (source / 'result.txt', '--images', tmp_path / 'pictures', '--to', 'coco')
    with pytest.raises(UserError, match='its ending does not tell its format: name it with --form'):
        convert(*named, tmp_path / 'out2')
    convert(*named, tmp_path / 'out2', '--format', 'CocoDataset')
    assert (tmp_path / 'out2').is_dir()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('in', '--to', 'coco', 'in/out'), 'in/out lies in in: name a folder beside it'),
        (('in', '--to', 'coco', 'out', '--seed', 1), '--seed is for --split'),
        (('in', '--to', 'coco', 'out', '--images', 'in'), '--images is for an annotation file'),
        (('in', '--to', 'coco', 'out', '--format', 'YOLOSegDataset'), 'in is no YOLOSegDataset'),
        (('none', '--to', 'coco', 'out'), 'none does not exist'),
        (('in/images', '--to', 'coco', 'out'), 'no data set that is known'),
        (('in', '--to', 'coco', 'there'), 'there is there already'),
        (('in', '--to', 'coco', 'out', '--split', 0.8, 0.3), 'add up to 1'),
    ],
)
def test_what_is_wrong_is_named(source, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    Path('there').mkdir()
    with pytest.raises(UserError, match=message):
        convert(*arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['in', 'there']
    assert not list(Path('there').iterdir())


def test_a_full_disk(source, small_disk, capsys):
    noise = np.random.randint(0, 256, (900, 900, 3), np.uint8)
    content = json.loads((source / 'result.json').read_text())
    for image in content['images']:
        image.update(height=900, width=900)
        cv2.imwrite(str(source / 'images' / image['file_name']), noise)
    content['annotations'] = content['annotations'][:1]
    (source / 'result.json').write_text(json.dumps(content))
    with pytest.raises(SystemExit) as ended, exit_on_user_error():
        convert(source, '--to', 'yolo', small_disk / 'out')
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f'error: {small_disk}/out: no space is left on the disk; make room, or name another place\n'
    )
    assert list(small_disk.iterdir()) == []


def test_ctrl_c(source, tmp_path, monkeypatch):
    def interrupt(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(to_yolo, '_lines', interrupt)
    with pytest.raises(KeyboardInterrupt):
        convert(source, '--to', 'yolo', tmp_path / 'out')
    assert [path.name for path in tmp_path.iterdir()] == ['in']


# --- supervision --------------------------------------------------------------------------------


def is_near(mask: np.ndarray, other: np.ndarray) -> bool:
    """Return whether a mask is another one, drawn by OpenCV's rule.

    It draws the pixels of the border, too, and so the lines that join the parts of an object.
    """
    kernel = np.ones((3, 3), np.uint8)
    lacking = cv2.erode(mask, kernel) & ~other
    beyond = other & ~cv2.dilate(mask, kernel, iterations=2)
    return not lacking.any() and np.count_nonzero(beyond) < 50


@pytest.mark.parametrize('to', ['yolo', 'coco'])
def test_supervision_reads_the_same(shapes_root, tmp_path, to):
    sv = pytest.importorskip('supervision')
    out = tmp_path / 'out'
    convert(shapes_root, '--to', to, out, '--link')
    if to == 'yolo':
        found = sv.DetectionDataset.from_yolo(
            images_directory_path=str(out / 'images/train'),
            annotations_directory_path=str(out / 'labels/train'),
            data_yaml_path=str(out / 'data.yaml'),
        )
    else:
        found = sv.DetectionDataset.from_coco(
            images_directory_path=str(out / 'train'),
            annotations_path=str(out / 'annotations/instances_train.json'),
            force_masks=True,
        )
    ours = read(out)
    assert found.classes == ours.classes
    assert len(found) == len(ours.parts['train']) == 12
    theirs = {Path(path).name: detections for path, _, detections in found}
    for picture in ours.parts['train']:
        detections = theirs[picture.image['file_name']]
        alone = masks(type(ours)(ours.categories, dict(train=[picture]), ours.findings))
        assert [found.classes[label] for label in detections.class_id] == [
            name for name, _ in alone
        ]
        for (name, mask), other in zip(alone, detections.mask, strict=True):
            assert is_near(mask, other.astype(np.uint8)), name
