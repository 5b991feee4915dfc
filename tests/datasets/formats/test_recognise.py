"""What the usual programs export is recognised: their folders, as their documentation has them."""

import json
from pathlib import Path

import pytest
from mmengine.logging import MMLogger

from mmdet.datasets import (
    CityscapesDataset,
    CocoDataset,
    LabelmeDataset,
    LVISV05Dataset,
    LVISV1Dataset,
    VOCSegDataset,
    YOLOSegDataset,
)
from mmdet.datasets.coco_folder import part_of
from mmdet.datasets.formats.recognise import recognise
from mmdet.errors import UserError
from mmdet.registry import DATASETS

from .scene import CLASSES, SCENE, assert_is_scene, write_pictures
from .test_cityscapes import write_cityscapes
from .test_labelme import write_labelme
from .test_lvis import write as write_lvis
from .test_voc import write_voc
from .test_yolo import YAML, lines_of


def coco_content(prefix: str = '') -> dict:
    annotations = [
        dict(
            image_id=number,
            category_id=thing.label + 1,
            segmentation=[thing.outline.ravel().tolist()],
        )
        for number, picture in enumerate(SCENE)
        for thing in picture.things
    ]
    return dict(
        images=[
            dict(
                id=number,
                file_name=f'{prefix}{each.name}.png',
                height=each.height,
                width=each.width,
            )
            for number, each in enumerate(SCENE)
        ],
        annotations=[dict(id=number, **each) for number, each in enumerate(annotations)],
        categories=[dict(id=label + 1, name=name) for label, name in enumerate(CLASSES)],
    )


def write_coco(path: Path, images: Path, prefix: str = '') -> None:
    write_pictures(images)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(coco_content(prefix)))


def write_yolo(images: Path, labels: Path) -> None:
    write_pictures(images)
    labels.mkdir(parents=True)
    for picture in SCENE:
        lines = lines_of(picture.things, picture.height, picture.width)
        (labels / f'{picture.name}.txt').write_text('\n'.join(lines))


def coco(root: Path) -> None:
    for part in ('train2017', 'val2017'):
        write_coco(root / f'annotations/instances_{part}.json', root / part)
    (root / 'annotations/captions_train2017.json').write_text('{"images": [], "annotations": []}')


def roboflow_coco(root: Path) -> None:
    for part in ('train', 'valid'):
        write_coco(root / part / '_annotations.coco.json', root / part)
    (root / 'README.roboflow.txt').write_text('exported')


def supervisely(root: Path) -> None:
    for part in ('train', 'val'):
        write_coco(root / part / 'annotations/instances.json', root / part / 'images')


def valves(root: Path) -> None:
    for part in ('train', 'val', 'test'):
        write_coco(root / f'annotations/valves_{part}.json', root / 'images' / part)


def unpacked_on_a_mac(root: Path) -> None:
    roboflow_coco(root / 'export')
    (root / '.DS_Store').write_bytes(b'\0')
    (root / '__MACOSX/export').mkdir(parents=True)


def cvat(root: Path) -> None:
    write_coco(root / 'annotations/instances_default.json', root / 'images/default')


def label_studio(root: Path) -> None:
    write_coco(root / 'result.json', root / 'images', 'images/')


def label_studio_of_a_server(root: Path) -> None:
    write_coco(root / 'result_coco.json', root / 'images', '/data/upload/3/')


def one_file(root: Path) -> None:
    write_coco(root / 'instances_Train.json', root / 'images', 'images/')


def ultralytics(root: Path) -> None:
    for part in ('train', 'val'):
        write_yolo(root / 'images' / part, root / 'labels' / part)
    (root / 'shapes.yaml').write_text(
        'path: ../datasets/shapes\ntrain: images/train\nval: images/val\ntest:\n'
        f'names: {list(CLASSES)}\n'
    )


def roboflow_yolo(root: Path) -> None:
    for part in ('train', 'valid'):
        write_yolo(root / part / 'images', root / part / 'labels')
    (root / 'data.yaml').write_text(
        'train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\n'
        f'nc: 3\nnames: {list(CLASSES)}\n\nroboflow:\n  workspace: a\n'
    )


def label_studio_yolo(root: Path) -> None:
    write_yolo(root / 'images', root / 'labels')
    (root / 'classes.txt').write_text('\n'.join(CLASSES))
    (root / 'notes.json').write_text('{"categories": [], "info": {}}')


def yolo_without_yaml(root: Path) -> None:
    for part in ('train', 'valid'):
        write_yolo(root / 'images' / part, root / 'labels' / part)
    (root / 'classes.txt').write_text('\n'.join([*CLASSES, '']))


def cvat_yolo(root: Path) -> None:
    write_yolo(root / 'images/Train', root / 'labels/Train')
    (root / 'Train.txt').write_text(
        ''.join(f'data/images/Train/{picture.name}.png\n' for picture in SCENE)
    )
    names = '\n'.join(f'  {number}: {name}' for number, name in enumerate(CLASSES))
    (root / 'data.yaml').write_text(f'Train: Train.txt\nnames:\n{names}\npath: .\n')


def labelme(root: Path) -> None:
    write_labelme(root / 'photos')
    (root / 'photos/.settings.json').write_text('{"version": 1}')
    (root / 'labels.txt').write_text('cat\ndog\nold boat\n')


def voc(root: Path) -> None:
    write_voc(root)
    (root / 'ImageSets/Segmentation/val.txt').write_text('a\nb\nc\n')


def labelme_as_voc(root: Path) -> None:
    write_voc(root)
    (root / 'ImageSets/Segmentation/train.txt').unlink()


@pytest.mark.parametrize(
    ('write', 'kind', 'parts'),
    [
        (coco, CocoDataset, {'train', 'val'}),
        (roboflow_coco, CocoDataset, {'train', 'val'}),
        (supervisely, CocoDataset, {'train', 'val'}),
        (valves, CocoDataset, {'train', 'val', 'test'}),
        (cvat, CocoDataset, {'all'}),
        (label_studio, CocoDataset, {'all'}),
        (label_studio_of_a_server, CocoDataset, {'all'}),
        (one_file, CocoDataset, {'train'}),
        (ultralytics, YOLOSegDataset, {'train', 'val'}),
        (roboflow_yolo, YOLOSegDataset, {'train', 'val'}),
        (cvat_yolo, YOLOSegDataset, {'train'}),
        (label_studio_yolo, YOLOSegDataset, {'all'}),
        (yolo_without_yaml, YOLOSegDataset, {'train', 'val'}),
        (labelme, LabelmeDataset, {'all'}),
        (voc, VOCSegDataset, {'train', 'val'}),
        (labelme_as_voc, VOCSegDataset, {'all'}),
    ],
)
@pytest.mark.parametrize('inside', ['', 'export/'])
def test_exports_are_recognised(tmp_path, write, kind, parts, inside):
    root = tmp_path / 'mine' / inside
    root.mkdir(parents=True)
    write(root)
    found = recognise(tmp_path / 'mine')
    assert (found.root, found.kind, set(found.parts)) == (root, kind, parts)
    metainfo = dict(classes=CLASSES) if kind is CocoDataset else None
    for part in parts:
        cfg = found.config(part)
        assert_is_scene(DATASETS.build({**cfg, 'metainfo': metainfo, 'pipeline': []}))


def test_what_macos_leaves_is_no_data(tmp_path):
    unpacked_on_a_mac(tmp_path)
    found = recognise(tmp_path)
    assert (found.root, set(found.parts)) == (tmp_path / 'export', {'train', 'val'})


@pytest.mark.parametrize(
    ('write', 'kind'),
    [
        (write_cityscapes, CityscapesDataset),
        (lambda root: write_lvis(root, 'v1'), LVISV1Dataset),
        (lambda root: write_lvis(root, 'v0.5'), LVISV05Dataset),
    ],
)
def test_known_data_sets_are_recognised(tmp_path, write, kind):
    write(tmp_path)
    found = recognise(tmp_path)
    assert found.kind is kind
    (part,) = found.parts
    assert len(DATASETS.build({**found.config(part), 'pipeline': []})) == len(SCENE)


def test_lvis_beside_coco_is_coco(tmp_path):
    write_lvis(tmp_path, 'v1')
    write_coco(tmp_path / 'annotations/instances_val2017.json', tmp_path / 'val2017')
    found = recognise(tmp_path)
    assert found.kind is CocoDataset
    assert found.parts['val']['ann_file'] == 'annotations/instances_val2017.json'


def test_yolo_paths_of_another_machine(tmp_path):
    roboflow_yolo(tmp_path)
    (tmp_path / 'data.yaml').write_text(
        f'train: /content/a/train/images\nval: C:\\a\\valid\\images\nnames: {list(CLASSES)}\n'
    )
    found = recognise(tmp_path)
    assert set(found.parts) == {'train', 'val'}
    for part in found.parts:
        assert_is_scene(DATASETS.build({**found.config(part), 'pipeline': []}))


def test_a_yolo_part_of_another_machine_is_not_all_there_is(tmp_path):
    write_yolo(tmp_path / 'images', tmp_path / 'labels')
    (tmp_path / 'data.yaml').write_text(
        f'train: images\nval: /content/a/valid/images\nnames: {list(CLASSES)}\n'
    )
    assert set(recognise(tmp_path).parts) == {'train'}


def test_yolo_parts_of_several_folders_are_refused(tmp_path):
    roboflow_yolo(tmp_path)
    (tmp_path / 'data.yaml').write_text('train: [train/images]\nval: [valid/images]\nnames: [a]\n')
    with pytest.raises(UserError, match='`train` is a list of folders'):
        recognise(tmp_path)


def test_what_is_called_json_and_is_no_file(tmp_path):
    (tmp_path / 'a.json').symlink_to(tmp_path / 'nowhere')
    (tmp_path / 'b.json').mkdir()
    label_studio(tmp_path)
    assert set(recognise(tmp_path).parts) == {'all'}


def test_what_is_nothing_known(tmp_path):
    (tmp_path / 'a.json').write_text('[1, 2]')
    (tmp_path / 'b.json').write_text('{"a": 1}')
    (tmp_path / 'c.yaml').write_text('a: 1')
    with pytest.raises(UserError) as caught:
        recognise(tmp_path)
    assert f'{tmp_path} is no data set that is known' in str(caught.value).split('\n')[-1]
    assert 'data.yaml' in str(caught.value)
    assert 'categories' in str(caught.value)


def test_no_folder(tmp_path):
    with pytest.raises(UserError, match='none is missing: name a folder'):
        recognise(tmp_path / 'none')
    (tmp_path / 'a').touch()
    with pytest.raises(UserError, match='a is a file'):
        recognise(tmp_path / 'a')


def test_images_that_are_nowhere(tmp_path):
    (tmp_path / 'train.json').write_text(json.dumps(coco_content()))
    with pytest.raises(
        UserError, match=r'train\.json: its images are nowhere \(a\.png is in none of'
    ):
        recognise(tmp_path)
    (tmp_path / 'train.json').unlink()
    (tmp_path / 'data.yaml').write_text(YAML)
    with pytest.raises(
        UserError, match=r'images of `train` are nowhere: looked for .*/images/train'
    ):
        recognise(tmp_path)


def test_a_part_that_is_named_and_missing_is_said(tmp_path, monkeypatch):
    roboflow_yolo(tmp_path)  # names a test part that is not there
    said: list[str] = []
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(logger, 'log', lambda _, text: said.append(text))
    assert set(recognise(tmp_path).parts) == {'train', 'val'}
    (line,) = said
    looked = f'looked for {tmp_path}/../test/images, {tmp_path}/test/images'
    assert (
        line == f'{tmp_path}/data.yaml: the images of `test` are nowhere: {looked}; it is left out'
    )


def test_two_files_for_one_part(tmp_path):
    for name in ('train_a.json', 'train_b.json'):
        write_coco(tmp_path / name, tmp_path / 'images', 'images/')
    with pytest.raises(UserError, match=r'train_a\.json and train_b\.json are both for train'):
        recognise(tmp_path)


def test_a_list_of_folders(tmp_path):
    (tmp_path / 'data.yaml').write_text('train: [a, b]\nval: c\nnames: [x]\n')
    with pytest.raises(UserError, match='`train` is a list of folders'):
        recognise(tmp_path)


@pytest.mark.parametrize(
    ('name', 'part'),
    [
        ('Training/labels.json', 'train'),
        ('train_data/val.json', 'val'),
        ('valid/_annotations.coco.json', 'val'),
        ('test2017', 'test'),
        ('result.json', 'all'),
    ],
)
def test_which_part(name, part):
    assert part_of(name) == part
