"""The generator: every picture once, the same in batches, and never all of them in memory."""

import weakref
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger

from mmdet.apis import infer_tiled, predict
from mmdet.errors import UserError
from tests.apis.models import detector_of, write_checkpoint
from tests.apis.videos import scene, write_pictures


@pytest.fixture
def model(tiny_model):
    return detector_of(tiny_model)


def test_a_prediction_says_where_it_came_from(model, tmp_path):
    (path,) = write_pictures(tmp_path, ['a.png'])
    (found,) = predict(model, path)
    assert found.path == path
    assert (found.image == scene(0)).all()
    assert len(found) == 5


def test_batches_change_nothing(model):
    pictures = [scene(n, size=(96, 128) if n % 3 else (64, 128)) for n in range(7)]
    one_by_one = predict(model, pictures)
    batches = predict(model, pictures, batch_size=4)
    assert len(one_by_one) == len(batches) == 7
    for alone, together in zip(one_by_one, batches, strict=True):
        assert len(alone) == 5
        np.testing.assert_array_equal(alone.labels, together.labels)
        np.testing.assert_allclose(alone.scores, together.scores, atol=1e-6)
        # The last digits of a convolution depend on the batch, and so a pixel at the threshold.
        assert (alone.masks != together.masks).mean() < 1e-3
        assert (alone.image == together.image).all()


@pytest.mark.parametrize(('tile', 'sizes'), [(None, [4, 3]), (96, [2] * 7)])
def test_batches_go_through_together(model, monkeypatch, tile, sizes):
    seen, test_step = [], model.test_step
    monkeypatch.setattr(
        model, 'test_step', lambda data: seen.append(len(data['inputs'])) or test_step(data)
    )
    predict(model, [scene(n) for n in range(7)], batch_size=4, tile=tile)
    assert seen == sizes


def test_colours_are_the_models(model):
    colors = [(1, 2, 3), (4, 5, 6), (7, 8, 9)]
    model.dataset_meta['palette'] = colors
    (found,) = predict(model, scene(0))
    assert found.palette == colors


def test_a_device_is_for_a_checkpoint(model, tiny_model, tmp_path):
    path = write_checkpoint(tmp_path / 'a.pth', tiny_model)
    with pytest.raises(UserError, match="there is no device 'gpu'"):
        predict(path, scene(0), device='gpu')
    with pytest.raises(UserError, match='a model stays where it is'):
        predict(model, scene(0), device='cpu')


@pytest.mark.parametrize('batch_size', [1, 4])
def test_memory_does_not_grow(model, batch_size):
    alive: list[weakref.ref] = []
    most = 0

    def pictures():
        for number in range(40):
            image = scene(number)
            alive.append(weakref.ref(image))
            yield image

    for count, found in enumerate(predict(model, pictures(), True, batch_size=batch_size), 1):
        most = max(most, sum(each() is not None for each in alive))
        assert len(alive) <= count + batch_size
        del found
    assert count == 40
    assert most <= 2 * batch_size + 1


def test_scores_and_classes(model):
    (everything,) = predict(model, scene(0))
    middle = float(np.median(everything.scores))
    (better,) = predict(model, scene(0), score_thr=middle)
    assert 0 < len(better) < len(everything)
    assert better.scores.min() >= middle
    name = everything.names[0]
    (some,) = predict(model, scene(0), classes=[name])
    assert set(some.names) == {name}
    (none,) = predict(model, scene(0), classes=[])
    assert len(none) == 0


def test_tiles(model):
    large = np.tile(scene(0), (2, 2, 1))
    (tiled,) = predict(model, large, tile=96)
    expected = infer_tiled(model, large, tile=96).pred_instances
    np.testing.assert_array_equal(tiled.scores, expected.scores.numpy())
    assert tiled.rles == expected.masks.rles
    (whole,) = predict(model, large)
    assert len(tiled) > len(whole)


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        (dict(classes=['gren']), "knows no class 'gren'; did you mean 'green'?"),
        (dict(classes=['zebra crossing']), 'it knows red, green, traffic light/blue'),
        (dict(classes=[2]), 'knows no class 2; it knows red, green'),
        (dict(tile=0), 'tile'),
        (dict(tile=64.5), 'tile=64.5: a tile'),
        (dict(tile=True), 'tile=True: a tile'),
        (dict(batch_size=0), 'batch_size is 0'),
        (dict(batch_size=1.5), 'batch_size is 1.5: it takes a whole number'),
        (dict(score_thr=30), 'score_thr is 30: it takes a number from 0 to 1'),
    ],
)
def test_options_are_looked_at_before_the_first_picture(model, options, said):
    with pytest.raises(UserError) as raised:
        predict(model, scene(0), True, **options)
    assert said in str(raised.value)


def test_what_is_left_out_is_said_at_the_end(model, tmp_path, caplog):
    paths = write_pictures(tmp_path, ['a.png', 'b.png', 'c.png'])
    Path(paths[1]).write_bytes(b'broken')
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        found = predict(model, tmp_path)
    finally:
        logger.removeHandler(caplog.handler)
    assert [each.path for each in found] == [paths[0], paths[2]]
    (message,) = [record.message for record in caplog.records if record.levelname == 'WARNING']
    assert message.startswith(f'left out: image {paths[1]} cannot be read')
    with pytest.raises(UserError, match=r'b\.png'):
        predict(model, tmp_path, strict=True)


def test_what_else_there_is_to_say_is_logged(model, tmp_path, caplog):
    path = str(tmp_path / 'a.tif')
    cv2.imwritemulti(path, [scene(0), scene(1)])
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        assert len(predict(model, path)) == 1
    finally:
        logger.removeHandler(caplog.handler)
    assert f'{path} has 2 pictures, of which the first was taken' in caplog.text


def test_what_is_open_is_closed_with_the_generator(model):
    closed = []

    def pictures():
        try:
            yield scene(0)
            yield scene(1)
        finally:
            closed.append(True)

    found = predict(model, pictures(), True)
    next(found)
    found.close()
    assert closed == [True]
