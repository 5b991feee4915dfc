"""The pictures of a training's data."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from mmdet.cli import browse_modes
from mmdet.cli.browse import main
from mmdet.datasets.shapes import CLASSES
from mmdet.engine.config.data_root import set_data_root
from mmdet.errors import UserError
from mmdet.models.assigners import Fate
from mmdet.registry import DATASETS, MODELS
from mmdet.structures.segmentation import decode_segmentation
from mmdet.visualization.panels import Panel, sheet
from mmdet.visualization.targets import draw_targets
from tests.processes import run_tool


def test_pictures_have_the_masks_where_the_objects_are(config, environment, shapes_root, tmp_path):
    run = run_tool(
        *('tools/analysis_tools/browse_dataset.py', config, '--not-show'),
        *('--output-dir', str(tmp_path / 'pictures'), '--data-root', str(shapes_root)),
        *('--cfg-options', f'work_dir={tmp_path}/w'),
        environment=environment,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == f'12 pictures in {tmp_path}/pictures'
    assert [file.name for file in tmp_path.iterdir()] == ['pictures']
    cfg = Config.fromfile(config)
    set_data_root(cfg, str(shapes_root))
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    for index in range(12):
        item = dataset[index]
        image = item['inputs'].permute(1, 2, 0).numpy()
        (path,) = (tmp_path / 'pictures').glob(f'{index}_*')
        change = np.abs(cv2.imread(str(path)).astype(int) - image).max(2)
        inside = item['data_samples'].gt_instances.masks.to_ndarray().any(0)
        # Captions reach beyond them.
        assert change[inside].mean() > 2 * change[~inside].mean()
        assert change[inside].mean() > 15


def browse(
    config: str, root: Path, folder: Path, *arguments: str, phase: str = 'train'
) -> dict[str, np.ndarray]:
    """Return the first two pictures, BGR."""
    main(
        [
            *(config, '--not-show', '--output-dir', str(folder), '--data-root', str(root)),
            *('--phase', phase, '--show-number', '2', *arguments),
        ]
    )
    return {path.name: cv2.imread(str(path)) for path in sorted(folder.iterdir())}


@pytest.mark.parametrize(('phase', 'split'), [('train', 'train2017'), ('val', 'val2017')])
def test_the_original_is_the_file_with_its_annotations(
    config, shapes_root, tmp_path, capsys, phase, split
):
    """Also where the pipeline resizes it before the annotations are loaded."""
    pictures = browse(config, shapes_root, tmp_path, '--mode', 'original', phase=phase)
    assert len(pictures) == 2
    assert capsys.readouterr().out.splitlines()[-1] == f'2 pictures in {tmp_path}'
    coco = json.loads((shapes_root / f'annotations/instances_{split}.json').read_text())
    for name, picture in pictures.items():
        file = name.split('_')[1]
        image = cv2.imread(str(shapes_root / split / file)).astype(int)
        assert picture.shape == image.shape
        (entry,) = (each for each in coco['images'] if each['file_name'] == file)
        inside = np.zeros(image.shape[:2], bool)
        for each in coco['annotations']:
            if each['image_id'] == entry['id']:
                inside |= decode_segmentation(each['segmentation'], *inside.shape).astype(bool)
        change = np.abs(picture - image).max(2)
        assert change[inside].mean() > 2 * change[~inside].mean()


def test_an_original_that_cannot_be_read_is_named_and_the_others_are_drawn(
    config, shapes_root, tmp_path, capsys
):
    root = tmp_path / 'shapes'
    shutil.copytree(shapes_root, root)
    broken = sorted((root / 'train2017').iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:99])
    assert len(browse(config, root, tmp_path / 'out', '--mode', 'original')) == 1
    lines = capsys.readouterr().out.splitlines()
    assert str(broken) in lines[-2]
    assert lines[-1].startswith('1 pictures')


def test_a_pipeline_is_drawn_step_by_step_under_its_names(
    config, shapes_root, tmp_path, monkeypatch
):
    sheets = []

    def draw(panels: list[Panel], **arguments: int) -> np.ndarray:
        sheets.append(panels)
        return sheet(panels, **arguments)

    monkeypatch.setattr(browse_modes, 'sheet', draw)
    pictures = browse(config, shapes_root, tmp_path, '--mode', 'pipeline', phase='val')
    for panels, picture in zip(sheets, pictures.values(), strict=True):
        names = [panel.title.split(':')[0] for panel in panels]
        assert names == ['LoadImageFromFile', 'Resize', 'LoadAnnotations', 'PackDetInputs']
        loaded, resized, annotated, packed = (panel.image for panel in panels)
        assert 480 <= max(loaded.shape) <= 640  # doubled
        # The config's resize halves the image, and the picture shows it.
        assert abs(np.subtract(loaded.shape[:2], np.multiply(resized.shape[:2], 2))).max() <= 2
        assert ' objects' not in panels[1].title and ' objects' in panels[2].title
        assert (resized != annotated).any()
        assert (annotated == packed).all()
        assert picture.shape[0] > loaded.shape[0] + resized.shape[0]


def test_targets_are_those_of_the_head(config, shapes_root, tmp_path, capsys, monkeypatch):
    """An object out of all ranges is counted; the picture is of what the network sees."""
    drawn = []

    def draw(*arguments: object) -> np.ndarray:
        drawn.append(arguments)
        return draw_targets(*arguments)

    monkeypatch.setattr(browse_modes, 'draw_targets', draw)
    ranges = ((1, 24), (24, 48), (40, 60), (60, 61), (60, 61))
    changes = {
        'model.mask_head.scale_ranges': ranges,
        'model.data_preprocessor.pad_size_divisor': 224,
    }
    options = ['--cfg-options', *(f'{key}={x}'.replace(' ', '') for key, x in changes.items())]
    pictures = browse(config, shapes_root, tmp_path, '--mode', 'targets', *options)
    assert len(pictures) == len(drawn) == 2

    cfg = Config.fromfile(config)
    cfg.merge_from_dict(changes)
    set_data_root(cfg, str(shapes_root))
    model = MODELS.build(cfg.model)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    without = 0
    for index, (image, masks, names, boxes, found, own_ranges) in enumerate(drawn):
        item = dataset[index]
        batch = {key: [value] for key, value in item.items()}
        batch = model.data_preprocessor(batch, training=True)
        instances = item['data_samples'].gt_instances
        targets = model.mask_head.targets(batch['data_samples'])
        assert int(found.wins.sum()) == int((targets.labels < 8).sum()) > 0
        for level, learnt in enumerate(targets.learnt):
            here = found.wins & (found.level == level)
            assert found.instance[here].tolist() == learnt.instances.tolist()
            assert found.cell[here].tolist() == learnt.cells[0].tolist()
        scales = (instances.bboxes[:, 2:] - instances.bboxes[:, :2]).prod(1).sqrt()
        in_range = [any(low <= scale <= high for low, high in ranges) for scale in scales]
        assert (found.fates != Fate.NO_RANGE).tolist() == in_range
        without += in_range.count(False)
        assert [tuple(each) for each in own_ranges] == list(ranges)
        assert names == [CLASSES[label] for label in instances.labels]
        assert image.shape[:2] == batch['inputs'].shape[2:] == (masks.height, masks.width)
        height, width = item['inputs'].shape[1:]
        plain = item['inputs'].permute(1, 2, 0).numpy()[..., ::-1]
        assert (image[:height, :width] == plain).all()
        assert (boxes == instances.bboxes.numpy()).all()
    assert without > 0
    line = capsys.readouterr().out.splitlines()[-2]
    assert f'; {without} are in no range of scale_ranges,' in line


@pytest.mark.parametrize(
    ('option', 'said'),
    [
        ('train_dataloader.dataset.pipeline.1.with_mask=False', 'with_mask=True'),
        ('model.data_preprocessor=None', 'which has a data_preprocessor'),
    ],
)
def test_targets_want_masks_and_a_whole_model(config, shapes_root, tmp_path, option, said):
    options = ('--mode', 'targets', '--cfg-options', option)
    with pytest.raises(UserError, match=said):
        browse(config, shapes_root, tmp_path, *options)


def test_a_mistake_is_one_line(config, monkeypatch):
    everything = [config, '--not-show', '--output-dir', 'nowhere']
    with pytest.raises(UserError, match='leave out --phase val'):
        main([*everything, '--mode', 'targets', '--phase', 'val'])
    with pytest.raises(UserError, match='--show-number is 0'):
        main([*everything, '--show-number', '0'])
    with pytest.raises(UserError, match='name --output-dir'):
        main([config, '--not-show'])
    monkeypatch.delenv('DISPLAY', raising=False)
    with pytest.raises(UserError, match='no display; --not-show --output-dir DIR'):
        main([config])


def test_a_folder_that_cannot_be_written_is_named(config, shapes_root, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='file cannot be written'):
        main(
            [
                config,
                '--not-show',
                '--output-dir',
                f'{tmp_path}/file',
                '--data-root',
                str(shapes_root),
            ]
        )
