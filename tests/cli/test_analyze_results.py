"""`mmdet-solo analyze-results`: which images it draws, where, and what it does not write over."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet.cli.analyze_results import main
from mmdet.errors import UserError
from tests.datasets.formats.scene import SCENE
from tests.engine.result_report.data import write_results, write_test


@pytest.fixture
def config(tmp_path, tiny_model) -> str:
    path = tmp_path / 'config.py'
    write_test(tmp_path / 'data', tiny_model).dump(path)
    return str(path)


@pytest.fixture
def results(tmp_path) -> str:
    path = tmp_path / 'results.json'
    write_results(path)
    return str(path)


def test_good_and_bad_images(config, results, tmp_path, capsys):
    folder = tmp_path / 'shown'
    content = main([config, results, str(folder)])
    printed = capsys.readouterr().out
    drawn = sorted(str(path.relative_to(folder)) for path in folder.rglob('*.png'))
    # The AP of `a` is the mean of 0 for its cat and 1 for its dogs.
    assert drawn == ['bad/a_0.0.png', 'bad/a_0.5.png', 'good/b_1.0.png']
    assert json.loads((folder / 'images.json').read_text()) == content
    listed = [(each['ap'], each['picture'], each['found']) for each in content['images']]
    assert listed == [
        (0, 'bad/a_0.0.png', 0),
        (0.5, 'bad/a_0.5.png', 2),
        (1, 'good/b_1.0.png', 1),
        (None, None, 0),
    ]
    assert 'bad: 2 images, of mask AP 0.000 to 0.500\n' in printed
    assert '1 of 4 images have no object to find, and no AP\n' in printed

    # On the left the cat is there, on the right it was not found.
    picture = cv2.imread(str(folder / 'bad/a_0.5.png'))
    assert picture.shape == (80, 240, 3)
    plain = np.tile(SCENE[0].pixels(), (1, 2, 1))
    changed = (picture.astype(int) - plain).any(2)
    cat = SCENE[0].things[1].mask(80, 120) > 0
    assert changed[:, :120][cat].mean() > 0.9
    assert changed[:, 120:][cat].mean() < 0.1

    main([config, results, str(folder), '--topk', '1'])
    drawn = sorted(str(path.relative_to(folder)) for path in folder.rglob('*.png'))
    assert drawn == ['bad/a_0.0.png', 'good/b_1.0.png']  # what it drew before is gone


def test_images_of_one_name_and_one_ap(config, tmp_path):
    results = tmp_path / 'none.json'
    results.write_text('[]')
    content = main([config, str(results), str(tmp_path / 'shown')])
    pictures = {
        '/'.join(Path(each['image']).parts[-2:]): each['picture'] for each in content['images']
    }
    # Of one AP the image with more objects is the worse.
    assert pictures == {
        'val2017/a.png': 'bad/a_0.0.png',
        'val2017/b.png': 'bad/b_0.0.png',
        'val2017/c.png': None,
        'deep/a.png': 'good/a_0.0.png',
    }


def test_scores_below_the_threshold_are_not_drawn(config, results, tmp_path):
    folders = [tmp_path / 'all', tmp_path / 'none']
    for folder, threshold in zip(folders, ('0', '0.95'), strict=True):
        main([config, results, str(folder), '--show-score-thr', threshold])
    shown, hidden = (cv2.imread(str(each / 'good/b_1.0.png')) for each in folders)
    assert (shown != hidden).any()
    assert (hidden[:, 80:] == SCENE[1].pixels()).all()


def test_what_was_not_made_by_it_stays(config, results, tmp_path):
    theirs = tmp_path / 'shown/good/holiday.png'
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b'mine')
    with pytest.raises(UserError, match=r'good/holiday\.png was not made by this command'):
        main([config, results, str(tmp_path / 'shown')])
    theirs.unlink()
    listed = tmp_path / 'shown/images.json'
    listed.write_text('{"images": []}')
    with pytest.raises(UserError, match=r'images\.json exists, and was not made by this command'):
        main([config, results, str(tmp_path / 'shown')])
    assert listed.read_text() == '{"images": []}'


def test_an_image_that_is_broken(config, results, tmp_path, capsys):
    (tmp_path / 'data/val2017/b.png').write_bytes(b'')
    content = main([config, results, str(tmp_path / 'shown')])
    assert 'val2017/b.png: no such image, or it cannot be read' in capsys.readouterr().out
    assert content['images'][2]['picture'] is None


def test_mistakes(config, results, tmp_path):
    with pytest.raises(UserError, match='--topk is 0: it takes 1 or more'):
        main([config, results, str(tmp_path / 'shown'), '--topk', '0'])
    with pytest.raises(UserError, match='does not exist'):
        main([config, str(tmp_path / 'gone.pkl'), str(tmp_path / 'shown')])
