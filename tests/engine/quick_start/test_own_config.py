"""From a folder to a config: what is decided, written and said."""

import json
import shlex
from pathlib import Path

import pytest
from mmengine.config import Config

from mmdet.cli import train
from mmdet.engine.config import check_config, read_config
from mmdet.engine.quick_start.own_config import config_for
from mmdet.errors import UserError
from mmdet.registry import DATASETS
from mmdet.structures.segmentation import decode_segmentation
from tests.datasets.formats.scene import CLASSES, SCENE, assert_is_scene, iou
from tests.datasets.formats.test_recognise import (
    coco,
    coco_content,
    cvat,
    cvat_yolo,
    label_studio,
    labelme,
    labelme_as_voc,
    roboflow_yolo,
    write_coco,
    write_yolo,
)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / 'nuts').mkdir()
    return tmp_path / 'nuts'


def written(folder: Path, *, has_gpu: bool = False) -> tuple[Config, str]:
    """Return the config for a folder, checked as a training would, and what was said."""
    path, said = config_for(folder, work_dirs=folder.parent / 'work_dirs', has_gpu=has_gpu)
    assert path == folder.parent / 'work_dirs/nuts/nuts.py'
    cfg = read_config(str(path))
    check_config(cfg.to_dict())
    return cfg, said


@pytest.mark.parametrize('write', [coco, roboflow_yolo])
@pytest.mark.parametrize('has_gpu', [True, False])
def test_parts_that_are_there_are_taken(folder, write, has_gpu):
    write(folder)
    cfg, said = written(folder, has_gpu=has_gpu)
    assert cfg.model.mask_head.num_classes == 3
    for part in ('train', 'val', 'test'):
        assert_is_scene(DATASETS.build(dict(cfg[f'{part}_dataloader'].dataset, pipeline=[])))
    assert len(said.splitlines()) == 5
    assert 'cat (1), dog (2), old boat (1)' in said
    assert '3 images to train on, 3 to validate, as it has them' in said
    assert ('on the GPU' in said) == has_gpu
    assert cfg.optim_wrapper.type == ('AmpOptimWrapper' if has_gpu else 'OptimWrapper')
    assert f'{cfg.train_cfg.max_iters} steps of {cfg.train_dataloader.batch_size} images' in said


@pytest.mark.parametrize('write', [cvat, cvat_yolo, label_studio, labelme, labelme_as_voc, 'yolo'])
def test_parts_are_made_where_there_are_none(folder, write):
    if write == 'yolo':
        write_yolo(folder / 'images', folder / 'labels')
        (folder / 'data.yaml').write_text(f'train: images\nnames: {list(CLASSES)}\n')
    else:
        write(folder)
    cfg, said = written(folder)
    assert '2 images to train on, 1 to validate, made here' in said
    classes = cfg.train_dataloader.dataset.metainfo.classes
    items = []
    for part in ('train', 'val'):
        dataset = DATASETS.build(dict(cfg[f'{part}_dataloader'].dataset, pipeline=[]))
        items += [dataset.get_data_info(index) for index in range(len(dataset))]
    assert sorted(Path(item['img_path']).stem for item in items) == ['a', 'b', 'c']
    things = {picture.name: picture for picture in SCENE}
    for item in items:
        picture = things[Path(item['img_path']).stem]
        size = picture.height, picture.width
        assert len(item['instances']) == len(picture.things)
        for instance, thing in zip(item['instances'], picture.things, strict=True):
            assert iou(decode_segmentation(instance['mask'], *size), thing.mask(*size)) > 0.99
            assert classes[instance['bbox_label']] == CLASSES[thing.label]


@pytest.mark.parametrize('others', [('train2017', 'val2017'), ('train2017',)])
def test_a_part_that_is_not_read_is_said(folder, others):
    for part in (*others, 'test2017'):
        write_coco(folder / f'annotations/instances_{part}.json', folder / part)
    _, said = written(folder)
    assert '; not read: test' in said.splitlines()[2]


def test_it_says_what_differs_and_no_more(folder):
    coco(folder)
    written(folder)
    text = (folder.parent / 'work_dirs/nuts/nuts.py').read_text()
    names = [line.split(' = ')[0] for line in text.splitlines() if line[:1].isalpha()]
    assert names == ['model', 'train_dataloader', 'val_dataloader', 'test_dataloader']
    assert 'test_dataloader = val_dataloader' in text
    assert len(text.splitlines()) < 60


def test_its_grid_fits_the_objects(folder):
    """Objects of the scene are large in small images: five or six cells a side are enough."""
    coco(folder)
    cfg, said = written(folder)
    head = cfg.model.mask_head
    assert max(head.num_grids) < 12
    assert f'grids that fit: {", ".join(map(str, head.num_grids))}' in said


def test_a_config_that_is_there_is_left_alone(folder):
    coco(folder)
    written(folder)
    path = folder.parent / 'work_dirs/nuts/nuts.py'
    path.write_text(path.read_text() + 'max_epochs = 3\n')
    cfg, said = written(folder)
    assert cfg.max_epochs == 3
    assert 'which is there' in said


def test_a_config_of_another_folder_of_that_name_is_not_taken(folder):
    coco(folder)
    written(folder)
    other = folder.parent / 'other/nuts'
    other.mkdir(parents=True)
    with pytest.raises(
        UserError, match=r'nuts\.py is there, and trains on .*, not on .*other/nuts'
    ):
        config_for(other, work_dirs=folder.parent / 'work_dirs', has_gpu=False)


def change_categories(folder: Path, change: str) -> None:
    coco(folder)
    path = folder / 'annotations/instances_val2017.json'
    content = json.loads(path.read_text())
    if change == 'less':
        content['annotations'] = [
            each for each in content['annotations'] if each['category_id'] != 3
        ]
        del content['categories'][2]
    else:
        content['categories'].append(dict(id=4, name='bird'))
        content['annotations'][0]['category_id'] = 4
    path.write_text(json.dumps(content))


def test_a_category_that_only_what_validates_has_is_left_out_and_said(folder):
    change_categories(folder, 'more')
    _, said = written(folder)
    assert 'without objects to train on, left out: bird' in said


def test_a_category_that_what_validates_lacks_is_refused_before_all_else(folder):
    change_categories(folder, 'less')
    with pytest.raises(UserError, match=r"val2017\.json lacks the category 'old boat'"):
        written(folder)
    assert not (folder.parent / 'work_dirs').exists()


def test_a_category_without_objects_is_no_class(folder):
    """Roboflow lists its project as category 0."""
    label_studio(folder)
    content = coco_content('images/')
    content['categories'].insert(0, dict(id=0, name='things', supercategory='none'))
    (folder / 'result.json').write_text(json.dumps(content))
    cfg, said = written(folder)
    assert cfg.train_dataloader.dataset.metainfo.classes == CLASSES
    assert 'without objects to train on, left out: things' in said


def test_crowds_are_no_objects_to_learn(folder):
    label_studio(folder)
    content = coco_content('images/')
    for each in content['annotations']:
        each['iscrowd'] = 1
    (folder / 'result.json').write_text(json.dumps(content))
    with pytest.raises(UserError, match='there is no object to learn in it'):
        written(folder)
    assert not (folder.parent / 'work_dirs').exists()


def test_one_image_is_not_enough(folder):
    label_studio(folder)
    content = coco_content('images/')
    content['images'] = content['images'][:1]
    content['annotations'] = [each for each in content['annotations'] if each['image_id'] == 0]
    (folder / 'result.json').write_text(json.dumps(content))
    with pytest.raises(UserError, match='has one image'):
        written(folder)


@pytest.mark.parametrize(
    'name', ["it's", 'My Project.v3i.coco-segmentation', 'a "b"', 'x\\y', 'ä{0}']
)
def test_names_of_any_kind(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    coco(folder)
    path, _ = config_for(folder, work_dirs=tmp_path / 'work_dirs', has_gpu=False)
    command = path.read_text().splitlines()[2].removeprefix('#')
    assert shlex.split(command) == ['bash', 'train.sh', str(path)]
    cfg = read_config(str(path))
    assert_is_scene(DATASETS.build(dict(cfg.train_dataloader.dataset, pipeline=[])))


def test_a_model_trains_from_it_and_the_config_stays(folder, monkeypatch):
    label_studio(folder)
    monkeypatch.chdir(folder.parent)
    path, _ = config_for(folder, work_dirs=folder.parent / 'work_dirs', has_gpu=False)
    text = path.read_text()
    options = dict.fromkeys(('train_cfg.max_iters', 'train_cfg.val_interval'), 1)
    options |= {'default_hooks.checkpoint.interval': 1, 'param_scheduler.0.total_steps': 2}
    changes = [f'{key}={value}' for key, value in options.items()]
    runner = train.main([str(path), '--cfg-options', *changes])
    assert path.read_text() == text
    assert (path.parent / 'iter_1.pth').is_file()
    assert 0 <= runner.message_hub.get_scalar('val/coco/segm_mAP').current() <= 1
