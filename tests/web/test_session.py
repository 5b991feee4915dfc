"""The models run once; what they found is filtered as often as wanted."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.web import Limits, Session, Upload, analyse, model_names, open_upload
from tests.apis.videos import scene


class Counted:
    """A detector that counts how often its network runs."""

    def __init__(self, detector) -> None:
        self.detector = detector
        self.cfg, self.dataset_meta = detector.cfg, detector.dataset_meta
        self.runs = 0

    def test_step(self, data):
        self.runs += 1
        return self.detector.test_step(data)


@pytest.fixture
def counted(detector):
    return Counted(detector)


@pytest.fixture
def session(counted, picture) -> Session:
    return analyse({'one': counted, 'two': counted}, open_upload(picture, Limits()))


def test_each_model_runs_once_on_each_picture(counted):
    shown = []
    upload = Upload('clip', (scene(number) for number in range(3)), total=3)
    session = analyse({'a': counted}, upload, lambda *each: shown.append(each))
    assert counted.runs == len(session.frames) == 3
    assert shown == [(0, 3), (1, 3), (2, 3)]
    assert [frame.found[0].frame for frame in session.frames] == [0, 1, 2]


def test_filters_run_no_model(counted, session):
    assert counted.runs == 2
    (found, _) = session.frames[0].found
    for least in np.linspace(0, 1, 20):
        shown = found.filter(least, ['bolt', 'nut'])
        assert (shown.scores >= least).all()
        assert set(shown.names) <= {'bolt', 'nut'}
    assert counted.runs == 2


def test_numbers_and_outlines_stay_with_their_instances(session):
    found = session.frames[0].found[0]
    kept = found.filter(0, ['nut'])
    assert 0 < len(kept) < len(found)
    assert kept.instances.number.tolist() == [
        number for number, name in enumerate(found.names, start=1) if name == 'nut'
    ]
    assert kept.instances.outline == [
        found.instances.outline[number - 1] for number in kept.instances.number
    ]
    assert kept.instances.turn.tolist() == list(range(len(kept)))


def test_the_picture_is_kept_once_and_packed(session, picture):
    frame = session.frames[0]
    near = cv2.absdiff(frame.picture(), cv2.imread(str(picture)))
    assert near.mean() < 3
    assert [each.image.shape for each in frame.found] == [(96, 128, 3)] * 2
    assert all(each.image.strides == (0, 0, 0) for each in frame.found)


def test_a_picture_of_one_pixel(counted):
    session = analyse({'a': counted}, Upload('a.png', iter([np.zeros((1, 1, 3), np.uint8)])))
    assert session.frames[0].picture().shape == (1, 1, 3)


def test_nothing_found(counted):
    head = counted.detector.mask_head
    head.decode_cfg = replace(head.decode_cfg, score_thr=1.0)
    session = analyse({'a': counted}, Upload('a.png', iter([scene(0)])))
    assert len(session.frames[0].found[0]) == 0
    assert session.classes() == []


def test_classes_by_frequency(session):
    names = [name for each in session.frames[0].found for name in each.names]
    counts = [names.count(name) for name in session.classes()]
    assert counts == sorted(counts, reverse=True)
    assert set(session.classes()) == set(names)


def test_the_nearest_frame(session):
    assert session.frame(-1) is session.frame(7.0) is session.frames[0]


def test_names_tell_checkpoints_apart():
    assert model_names(['a/best.pth']) == ['best']
    assert model_names(['a/x.pth', 'b/y.onnx']) == ['x', 'y']
    assert model_names(['a/c/x.pth', 'b/c/x.pth']) == ['a/c/x', 'b/c/x']
    with pytest.raises(UserError, match='twice'):
        model_names(['a.pth', './a.pth'])
