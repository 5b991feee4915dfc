"""What the commands say of a results file: eval-metric, confusion-matrix, error-analysis."""

import json
from pathlib import Path

import cv2
import pytest

from mmdet.cli import confusion_matrix, error_analysis, eval_metric
from mmdet.cli.error_analysis import parse_args
from mmdet.datasets.shapes import CLASSES
from mmdet.errors import UserError
from mmdet.evaluation.analysis import ERRORS
from mmdet.structures.segmentation import as_rle, json_rle

CONFIG = 'configs/solo/solo_r18_fpn_shapes-cpu.py'


@pytest.fixture(scope='module')
def results(shapes_root, tmp_path_factory) -> str:
    """All objects, but that ellipses were found as rings, and no star was found."""
    content = json.loads((shapes_root / 'annotations/instances_val2017.json').read_text())
    sizes = {image['id']: (image['height'], image['width']) for image in content['images']}
    names = {each['id']: each['name'] for each in content['categories']}
    ids = {name: key for key, name in names.items()}
    found = []
    for number, each in enumerate(content['annotations']):
        name = names[each['category_id']]
        if name == 'star':
            continue
        rle = as_rle(each['segmentation'], *sizes[each['image_id']])
        label = ids['ring'] if name == 'ellipse' else each['category_id']
        score = 0.25 if number % 5 == 0 else 0.75
        entry = dict(image_id=each['image_id'], category_id=label, score=score)
        found.append(dict(entry, segmentation=json_rle(rle)))
    path = tmp_path_factory.mktemp('found') / 'results.segm.json'
    path.write_text(json.dumps(found))
    return str(path)


def counts(shapes_root: Path) -> dict[str, int]:
    content = json.loads((shapes_root / 'annotations/instances_val2017.json').read_text())
    names = {each['id']: each['name'] for each in content['categories']}
    labels = [names[each['category_id']] for each in content['annotations']]
    return {name: labels.count(name) for name in CLASSES}


def test_eval_metric(shapes_root, results, capsys):
    figures = eval_metric.main([CONFIG, results, '--data-root', str(shapes_root)])
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == figures
    assert figures['coco/segm_mAP_ellipse'] == figures['coco/segm_mAP_star'] == 0
    assert figures['coco/segm_mAP_heart'] == 1


def test_confusion_matrix(shapes_root, results, tmp_path, capsys):
    arguments = [CONFIG, results, str(tmp_path / 'new'), '--data-root', str(shapes_root)]
    for _ in range(2):  # its own it writes over
        found = confusion_matrix.main([*arguments, '--score-thr', '0.2', '--color-theme', 'Blues'])
    assert json.loads((tmp_path / 'new/confusion_matrix.json').read_text()) == found
    assert found['classes'] == [*CLASSES, 'background']
    number = counts(shapes_root)
    ellipse, ring, star = (CLASSES.index(name) for name in ('ellipse', 'ring', 'star'))
    rows = found['matrix']
    assert rows[ellipse][ring] == rows[ellipse][-1] == number['ellipse'] > 0
    assert rows[star] == [0] * len(CLASSES) + [number['star']]
    assert rows[ring][ring] == number['ring']
    assert cv2.imread(str(tmp_path / 'new/confusion_matrix.png')).shape[0] > 500
    assert capsys.readouterr().out.endswith(f'{tmp_path}/new/confusion_matrix.json\n')
    fewer = confusion_matrix.main([*arguments, '--nms-iou-thr', '0.9'])  # scores from 0.3 on
    assert sum(map(sum, fewer['matrix'])) < sum(map(sum, rows))


def test_error_analysis_of_a_config(shapes_root, results, tmp_path, capsys):
    arguments = [CONFIG, results, str(tmp_path), '--data-root', str(shapes_root)]
    found = error_analysis.main([*arguments, '--extraplots'])
    assert json.loads((tmp_path / 'errors.json').read_text()) == json.loads(json.dumps(found))
    ellipse, star = (found['by_class'][name]['all'] for name in ('ellipse', 'star'))
    assert ellipse['gains']['class'] == star['gains']['missed'] == 1
    assert found['kinds'] == ERRORS
    printed = capsys.readouterr().out
    assert 'without duplicate' in printed
    pictures = {path.name for path in tmp_path.glob('*.png')}
    sizes = ('all', 'small', 'medium', 'large')
    assert pictures == {'errors_by_size.png', *(f'errors_by_class_{size}.png' for size in sizes)}
    assert all(str(tmp_path / name) in printed for name in pictures)
    fewer = error_analysis.main([*arguments, '--score-thr', '0.5'])
    missed = [each['by_size']['all']['counts']['missed'] for each in (found, fewer)]
    assert missed[0] < missed[1]


def test_error_analysis_by_mmdetections_command_line(shapes_root, results, tmp_path):
    """The same of an annotation file; the sizes are one's own."""
    ann_file = str(shapes_root / 'annotations/instances_val2017.json')
    areas = ['--areas', '100', '200', '10000000000']
    arguments = [results, str(tmp_path), '--ann', ann_file, '--types', 'segm']
    found = error_analysis.main([*arguments, *areas])
    whole = error_analysis.main(
        [CONFIG, results, str(tmp_path / 'b'), '--data-root', str(shapes_root)]
    )
    assert found['by_size']['all'] == whole['by_size']['all']
    assert found['by_size']['small']['objects'] < whole['by_size']['small']['objects']
    assert found['annotations'] == ann_file


@pytest.mark.parametrize(
    ('command', 'options', 'complaint'),
    [
        (confusion_matrix, ['--color-theme', 'plasmma'], "no color theme 'plasmma'"),
        (confusion_matrix, ['--tp-iou-thr', '50'], '--tp-iou-thr is 50.0: it takes 0 to 1'),
        (error_analysis, ['--types', 'bbox'], '--types bbox: what is measured is segm alone'),
        (error_analysis, ['--areas', '9', '5', '100'], '--areas 9 5 100: they rise'),
    ],
)
def test_wrong_options(shapes_root, results, tmp_path, command, options, complaint):
    with pytest.raises(UserError, match=complaint):
        command.main(
            [CONFIG, results, str(tmp_path / 'x'), '--data-root', str(shapes_root), *options]
        )
    assert not (tmp_path / 'x').exists()


def test_a_config_is_needed_for_its_options(results, tmp_path, capsys):
    with pytest.raises(UserError, match='need a config: CONFIG RESULTS OUT_DIR'):
        error_analysis.main([results, str(tmp_path), '--data-root', 'data'])
    with pytest.raises(SystemExit):
        parse_args([results])
    assert 'name CONFIG RESULTS OUT_DIR, or RESULTS OUT_DIR and --ann' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('command', 'name'),
    [
        (confusion_matrix, 'confusion_matrix.png'),
        (confusion_matrix, 'confusion_matrix.json'),
        (error_analysis, 'errors.json'),
        (error_analysis, 'errors_by_class_all.png'),
    ],
)
def test_others_files_are_not_written_over(shapes_root, results, tmp_path, command, name):
    (tmp_path / name).write_bytes(b'\x89PNG mmdet-solo confusion-matrix, but my own')
    with pytest.raises(UserError, match=f'{name} exists, and was not made by this command'):
        command.main([CONFIG, results, str(tmp_path), '--data-root', str(shapes_root)])
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_show_needs_a_window(shapes_root, results, tmp_path, monkeypatch):
    monkeypatch.delenv('DISPLAY', raising=False)
    with pytest.raises(UserError, match='no window can be opened'):
        confusion_matrix.main(
            [CONFIG, results, str(tmp_path), '--data-root', str(shapes_root), '--show']
        )
