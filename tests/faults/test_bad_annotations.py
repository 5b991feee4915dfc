"""Annotation files with real defects: each is named, what can be saved is, the rest is refused."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet.cli.check_coco import main
from mmdet.datasets import CocoDataset
from mmdet.datasets.coco_file import read_coco_file
from mmdet.errors import UserError, exit_on_user_error
from tests.faults.bad_images import BROKEN, spoil
from tests.processes import run_tool

TOOL = 'tools/dataset_converters/check_coco.py'
HEIGHT, WIDTH = 40, 60
SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]
RLE = dict(size=[HEIGHT, WIDTH], counts=[400, 30, HEIGHT * WIDTH - 430])
METAINFO = dict(classes=('cat', 'dog'))
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_mask=True),
    dict(type='PackDetInputs'),
]


def sound() -> dict:
    """Five images with two annotations each: `10 * image` and the number after it."""
    return dict(
        info=dict(version='1'),
        images=[dict(id=i, file_name=f'{i}.jpg', width=WIDTH, height=HEIGHT) for i in range(1, 6)],
        annotations=[
            dict(
                id=10 * i + k,
                image_id=i,
                category_id=1 + k,
                bbox=[10, 10, 20, 20],
                area=400,
                iscrowd=0,
                segmentation=[SQUARE],
            )
            for i in range(1, 6)
            for k in (0, 1)
        ],
        categories=[dict(id=1, name='cat'), dict(id=2, name='dog')],
    )


@pytest.fixture
def write(tmp_path):
    """Write an annotation file beside its pictures; return its path."""
    (tmp_path / 'img').mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    for number in range(1, 6):
        cv2.imwrite(str(tmp_path / f'img/{number}.jpg'), pixels)

    def write(content: dict) -> str:
        (tmp_path / 'a.json').write_text(json.dumps(content))
        return str(tmp_path / 'a.json')

    return write


def check(capsys, *arguments: object) -> tuple[int, list[str]]:
    """Return the command's exit code and the lines that it printed."""
    code = 0
    try:
        main([*map(str, arguments)])
    except SystemExit as ended:
        code = ended.code
    return code, capsys.readouterr().out.splitlines()


def train_on(path: str | Path) -> CocoDataset:
    return CocoDataset(
        ann_file=str(path),
        data_prefix=dict(img=str(Path(path).with_name('img'))),
        metainfo=METAINFO,
        pipeline=PIPELINE,
    )


def of_annotation(**changes: object) -> Callable[[dict], object]:
    return lambda content: content['annotations'][4].update(changes)


def of_image(**changes: object) -> Callable[[dict], object]:
    return lambda content: content['images'][2].update(changes)


def without(section: str, field: str) -> Callable[[dict], object]:
    index = dict(images=2, annotations=4, categories=1)[section]
    return lambda content: content[section][index].pop(field)


def polygon(*coordinates: float) -> Callable[[dict], object]:
    return of_annotation(segmentation=[[10, 10, 30, 10, *coordinates]])


ANNOTATION = 'annotation 30 of image 3 (3.jpg): '
IMAGE = 'image 3 (3.jpg) '
# What is wrong, how, what becomes of it in training, and the line that says so.
DEFECTS = {
    'missing mask': (without('annotations', 'segmentation'), 'left out', ANNOTATION),
    'empty mask': (of_annotation(segmentation=[]), 'left out', ANNOTATION),
    'two points': (of_annotation(segmentation=[[1, 1, 9, 9]]), 'left out', ANNOTATION),
    'half a point': (of_annotation(segmentation=[[*SQUARE, 5]]), 'left out', ANNOTATION),
    'NaN': (polygon(math.nan, 30, 10, 30), 'left out', ANNOTATION),
    'infinity': (polygon(math.inf, 30, 10, 30), 'left out', ANNOTATION),
    '1e9': (polygon(1e9, 30, 10, 30), 'left out', ANNOTATION),
    'outside': (of_annotation(segmentation=[[70, 5, 90, 5, 90, 9]]), 'left out', ANNOTATION),
    'no area': (of_annotation(segmentation=[[5] * 6], area=0), 'left out', ANNOTATION),
    'RLE too short': (
        of_annotation(segmentation=dict(RLE, counts=[400, 30])),
        'left out',
        ANNOTATION,
    ),
    'RLE of another size': (
        of_annotation(segmentation=dict(RLE, size=[WIDTH, HEIGHT])),
        'left out',
        ANNOTATION,
    ),
    'RLE that is none': (
        of_annotation(segmentation=dict(RLE, counts='~~')),
        'left out',
        ANNOTATION,
    ),
    'string that is none': (of_annotation(segmentation='mask.png'), 'left out', ANNOTATION),
    'unknown category': (of_annotation(category_id=9), 'left out', ANNOTATION),
    'unknown image': (
        of_annotation(image_id=9),
        'left out',
        'annotation 30 of image 9 (no such image): ',
    ),
    'flat polygon': (of_annotation(segmentation=SQUARE), 'repaired', ANNOTATION),
    'part of two points': (of_annotation(segmentation=[SQUARE, [1, 1]]), 'repaired', ANNOTATION),
    'mask as text': (of_annotation(segmentation=json.dumps([SQUARE])), 'repaired', ANNOTATION),
    'missing box': (without('annotations', 'bbox'), 'repaired', ANNOTATION),
    'box as text': (of_annotation(bbox=['10', '10', '20', '20']), 'repaired', ANNOTATION),
    'box without extent': (of_annotation(bbox=[10, 10, 0, 0]), 'repaired', ANNOTATION),
    'area of none': (of_annotation(area=None), 'repaired', ANNOTATION),
    'image id as text': (
        of_annotation(image_id='3'),
        'repaired',
        "annotation 30 of image '3' (3.jpg): ",
    ),
    'id twice': (of_annotation(id=20), 'repaired', 'annotation 20 of image 3 (3.jpg): '),
    'no id': (without('annotations', 'id'), 'repaired', 'annotation number 4 of image 3 (3.jpg): '),
    'size as text': (of_image(height='40'), 'repaired', 'image 3 (3.jpg): '),
    'no image id': (
        without('annotations', 'image_id'),
        'refused',
        "entry 4 of 'annotations' has no 'image_id'; its id is 30",
    ),
    'no category id': (
        without('annotations', 'category_id'),
        'refused',
        "entry 4 of 'annotations' has no 'category_id'; its id is 30",
    ),
    'no object': (
        lambda content: content['annotations'].insert(4, None),
        'refused',
        "entry 4 of 'annotations' is no object",
    ),
    'no height': (
        without('images', 'height'),
        'refused',
        "entry 2 of 'images' has no 'height'; its id is 3",
    ),
    'height of none': (of_image(height=None), 'refused', IMAGE + 'has height=None'),
    'no file name': (of_image(file_name=''), 'refused', 'image 3 () has no file_name'),
    'image too large': (of_image(height=10**6, width=10**6), 'refused', IMAGE + 'has height='),
    'two images of one id': (
        of_image(id=2),
        'refused',
        "the id 2 stands twice in 'images' (2.jpg, 3.jpg)",
    ),
    'one image twice': (
        lambda content: content['images'].append(content['images'][2]),
        'refused',
        "the id 3 stands twice in 'images' (3.jpg, 3.jpg)",
    ),
    'category without a name': (
        without('categories', 'name'),
        'refused',
        "entry 1 of 'categories' has no 'name'; its id is 2",
    ),
    'two categories of one name': (
        lambda content: content['categories'][1].update(name='cat'),
        'refused',
        'the categories 1 and 2 have one name, and annotations',
    ),
    'box of half a pixel': (of_annotation(bbox=[10, 10, 0.5, 20]), 'not trained on', ANNOTATION),
    'box outside': (of_annotation(bbox=[70, 10, 9, 9]), 'not trained on', ANNOTATION),
    'ignored': (of_annotation(ignore=1), 'not trained on', ANNOTATION),
    'one picture twice': (of_image(file_name='2.jpg'), 'to note', '2.jpg: files that several'),
}


def spoiled(name: str) -> dict:
    content = sound()
    DEFECTS[name][0](content)
    return content


@pytest.mark.parametrize('name', DEFECTS)
def test_each_defect_is_named(write, capsys, name):
    path = write(spoiled(name))
    _, effect, said = DEFECTS[name]
    code, lines = check(capsys, path)
    assert any(line.startswith(f'{path}: {effect}: {said}') for line in lines), lines
    assert code == (effect in ('refused', 'left out', 'repaired'))
    assert lines[-1].startswith(f'{path}: ')
    assert f'1 {effect}' in lines[-1]


@pytest.mark.parametrize('name', DEFECTS)
def test_what_can_be_saved_is_sound_and_trains(write, capsys, tmp_path, name):
    path, fixed = write(spoiled(name)), tmp_path / 'fixed.json'
    code, lines = check(capsys, path, '--images', tmp_path / 'img', '--fix', fixed)
    assert code == check(capsys, path)[0]
    assert lines[-1].startswith(f'{fixed}: ')
    assert check(capsys, fixed, '--images', tmp_path / 'img')[0] == 0
    saved = json.loads(fixed.read_text())
    assert saved['info'] == dict(version='1')
    lost = {
        'left out': 1,
        'repaired': 0,
        'not trained on': 0,
        'to note': 0,
        'refused': dict.fromkeys(['no object', 'one image twice', 'no height', 'height of none'], 0)
        | {'two categories of one name': 0, 'category without a name': 5, 'no image id': 1}
        | {'no category id': 1, 'two images of one id': 4},
    }[DEFECTS[name][1]]
    lost = lost if isinstance(lost, int) else lost.get(name, 2)
    assert len(saved['annotations']) == 10 - lost
    classes = [category['name'] for category in saved['categories']]
    dataset = CocoDataset(
        ann_file=str(fixed),
        data_prefix=dict(img=str(tmp_path / 'img')),
        metainfo=dict(classes=classes),
        pipeline=PIPELINE,
    )
    for index in range(len(dataset)):
        dataset[index]


@pytest.mark.parametrize(
    'name', [name for name, defect in DEFECTS.items() if defect[1] == 'refused']
)
def test_training_refuses_what_would_train_wrong(write, name):
    path = write(spoiled(name))
    with pytest.raises(UserError) as why:
        train_on(path)
    assert str(why.value).startswith(path)


@pytest.mark.parametrize(
    'name', [name for name, defect in DEFECTS.items() if defect[1] in ('left out', 'repaired')]
)
def test_training_says_what_it_leaves_out_and_repairs(write, name):
    path = write(spoiled(name))
    dataset = train_on(path)
    for index in range(5):
        dataset[index]
    said = read_coco_file(path).findings.summary()  # as the data set logs it
    where = DEFECTS[name][2].partition(' (')[0]
    assert f'1 {DEFECTS[name][1]}: 1 ' in said
    assert f'(first: {where}' in said


def test_boxes_as_corners(write, capsys, tmp_path):
    content = sound()
    for annotation in content['annotations']:
        annotation['bbox'] = [10, 10, 30, 30]
    content['annotations'][4]['bbox'] = [10, 10, 20, 20]
    path = write(content)
    with pytest.raises(UserError, match=r'9 of 10 boxes .* seem to be x1, y1, x2, y2'):
        train_on(path)
    code, lines = check(capsys, path, '--fix', tmp_path / 'fixed.json')
    assert code == 1
    assert sum('with a box that does not lie around the mask' in line for line in lines) == 9
    saved = json.loads((tmp_path / 'fixed.json').read_text())
    assert [each['bbox'] for each in saved['annotations']] == [[10, 10, 20, 20]] * 10


def test_a_file_of_which_most_is_left_out_is_refused(write, capsys):
    """The objects would be taught to be background."""
    content = sound()
    for annotation in content['annotations'][:6]:
        annotation['segmentation'] = []
    path = write(content)
    with pytest.raises(UserError, match=r'6 of 10 annotations cannot be used: 6 left out: 6 with'):
        train_on(path)
    _, lines = check(capsys, path)
    assert sum(': left out: annotation ' in line for line in lines) == 6
    content['annotations'][5]['segmentation'] = [SQUARE]
    assert len(train_on(write(content))) == 5


@pytest.mark.parametrize('kind', [*BROKEN, 'named outside'])
def test_pictures_that_cannot_be_used(write, capsys, tmp_path, kind):
    content = sound()
    if kind == 'named outside':
        content['images'][2]['file_name'] = '../away.jpg'
    else:
        spoil(tmp_path / 'img/3.jpg', kind)
    path = write(content)
    images = ('--images', tmp_path / 'img')
    code, lines = check(capsys, path, *images, '--fix', tmp_path / 'fixed.json')
    name = content['images'][2]['file_name']
    assert code == 1
    assert any(f': left out: image 3 ({name}): image ' in line for line in lines)
    assert any('leads out of' in line for line in lines) == (kind == 'named outside')
    saved = json.loads((tmp_path / 'fixed.json').read_text())
    assert [image['id'] for image in saved['images']] == [1, 2, 4, 5]
    assert {each['image_id'] for each in saved['annotations']} == {1, 2, 4, 5}
    assert check(capsys, tmp_path / 'fixed.json', *images)[0] == 0


def test_names_of_another_machine(write, capsys, tmp_path):
    content = sound()
    for image in content['images']:
        image['file_name'] = f'C:\\me\\{image["file_name"]}'
    path, fixed = write(content), tmp_path / 'fixed.json'
    code, lines = check(capsys, path, '--images', tmp_path / 'img', '--fix', fixed)
    assert code == 1
    where = (
        f'image 3 (C:\\me\\3.jpg): images named by a path of another place: taken from {tmp_path}'
    )
    assert any(line.startswith(f'{path}: repaired: {where}/img') for line in lines), lines
    assert json.loads(fixed.read_text())['images'] == sound()['images']
    assert train_on(path)[2]['inputs'].shape == (3, HEIGHT, WIDTH)


def test_fixing_changes_nothing_that_is_sound(write, capsys, tmp_path):
    path = write(sound())
    code, lines = check(capsys, path, '--images', tmp_path / 'img', '--fix', tmp_path / 'b.json')
    assert code == 0
    assert lines[0] == f'{path}: 5 images, 10 annotations: nothing is wrong'
    assert json.loads((tmp_path / 'b.json').read_text()) == sound()


def test_decoding_finds_what_is_broken_inside(write, capsys, tmp_path):
    path = write(sound())
    pixels = cv2.imread(str(tmp_path / 'img/3.jpg'))
    broken = bytearray(cv2.imencode('.png', pixels)[1].tobytes())
    broken[len(broken) // 2] ^= 255
    (tmp_path / 'img/3.jpg').write_bytes(broken)
    assert check(capsys, path, '--images', tmp_path / 'img')[0] == 0
    assert check(capsys, path, '--images', tmp_path / 'img', '--decode')[0] == 1


def test_mistakes_are_named(write, tmp_path):
    path = write(sound())
    for arguments, complaint in (
        (['--decode'], 'name their folder with --images DIR'),
        (['--images', str(tmp_path / 'none')], 'there is no such folder'),
        (['--fix', path], 'is the file to check'),
        (['--fix', str(tmp_path)], 'is a folder'),
        (['--fix', str(tmp_path / 'none/a.json')], 'its folder does not exist'),
    ):
        with pytest.raises(UserError, match=complaint):
            main([path, *arguments])
    with pytest.raises(UserError, match='no image can be saved'):
        main([write({**sound(), 'images': [dict(id=1)]}), '--fix', str(tmp_path / 'b.json')])
    assert not (tmp_path / 'b.json').exists()


def test_the_exit_code_of_defects(write, environment):
    run = run_tool(TOOL, write(spoiled('NaN')), environment=environment)
    assert (run.returncode, run.stderr) == (1, '')


def test_a_file_that_cannot_be_checked(tmp_path, capsys):
    (tmp_path / 'a.json').write_text('{"images": [')
    with pytest.raises(SystemExit) as ended, exit_on_user_error():
        main([str(tmp_path / 'a.json')])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f'error: {tmp_path}/a.json is not JSON')
