"""Files of predictions: what is in them, and that none overwrites another's."""

import errno
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from mmdet.apis import Prediction
from mmdet.apis.outputs import CocoJson, Crops, Drawn, FlatNames, Names, YoloText
from mmdet.apis.outputs.files import JsonList
from mmdet.errors import UserError
from mmdet.structures import RLEMasks
from tests.apis.videos import scene
from tests.samples import rectangle

CLASSES = ('red', 'traffic light/blue')


def prediction(path: str = 'a/b.png', **where: object) -> Prediction:
    """The scene's red square (x 0 to 24, y 36 to 60), and an L in it."""
    masks = np.stack([rectangle(96, 128, (0, 36, 24, 60)), rectangle(96, 128, (4, 40, 12, 48))])
    masks[1, 40:44, 8:12] = 0
    rles = coco_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0)))
    instances = InstanceData(
        scores=torch.tensor([0.9, 0.5]),
        labels=torch.tensor([0, 1]),
        bboxes=torch.tensor([[0, 36, 24, 60], [4, 40, 12, 48]]).float(),
        masks=RLEMasks(rles, 96, 128),
    )
    return Prediction(scene(0), instances, CLASSES, path=path, **where)


def write(output, *predictions: Prediction):
    for each in predictions:
        output.add(each)
    output.close()
    return output


def files_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob('*') if p.is_file())


def test_pictures_of_several_folders(tmp_path):
    names = Names('in')
    drawn = Drawn(tmp_path, names)
    paths = ['in/a/1.png', 'in/b/1.png', 'in/b/1.jpg', 'in/b/1.PNG', '/other/1.gif', 'in/b/1_2.png']
    write(drawn, *map(prediction, paths), prediction(paths[0]))
    assert files_in(tmp_path) == [
        *('1.jpg', 'a/1.png', 'b/1.png', 'b/1_2.jpg', 'b/1_2_2.png', 'b/1_3.PNG'),
    ]
    assert drawn.places == [str(tmp_path)]


def test_what_is_drawn(tmp_path):
    write(Drawn(tmp_path, Names()), prediction())
    image = cv2.imread(str(tmp_path / 'b.png'))
    assert (image == prediction().plot()).all()
    assert (image != scene(0)).any()


@pytest.mark.parametrize('where', [{}, dict(frame=0, time=0.0)])
def test_what_is_drawn_never_replaces_its_source(tmp_path, where):
    path = tmp_path / ('b.mp4' if where else 'b.png')
    path.write_bytes(b'the source')
    with pytest.raises(UserError, match=r'b\.\w+ would be overwritten: name another folder'):
        Drawn(tmp_path, Names()).add(prediction(str(path), **where))
    assert path.read_bytes() == b'the source'


def test_who_gets_another_name_is_said(caplog):
    names = FlatNames()
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        found = [names.of(path) for path in ('1/my a.jpg', '2/my a.jpg', '2/my a.jpg')]
    finally:
        logger.removeHandler(caplog.handler)
    assert found == ['my a', 'my a_2', 'my a_2']
    assert [record.message for record in caplog.records] == [
        'my a is taken, so my a_2 is 2/my a.jpg'
    ]


def test_a_video_of_frames(tmp_path):
    pytest.importorskip('av', reason='PyAV is not installed')
    from mmdet.apis import open_source

    frames = [prediction('camera 0', frame=n, time=n / 10) for n in range(5)]
    other = prediction('rtsp://10.0.0.7:554/front', frame=0, time=0.0)
    drawn = write(Drawn(tmp_path, Names()), *frames, other)
    assert files_in(tmp_path) == ['camera_0.mp4', 'rtsp_10.0.0.7_554_front.mp4']
    assert drawn.places == [str(tmp_path / name) for name in files_in(tmp_path)]
    found = list(open_source(tmp_path / 'camera_0.mp4'))
    assert [picture.time for picture in found] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert np.abs(found[4].image.astype(int) - frames[0].plot()).mean() < 6


def test_coco_reads_the_results(tmp_path):
    names = Names('in')
    write(
        CocoJson(tmp_path, names, CLASSES),
        prediction('in/000000000139.jpg'),
        replace(prediction('in/empty.jpg'), instances=prediction().instances[:0]),
        prediction('in/139.png'),
        prediction('in/a.mp4', frame=3, time=0.1),
        replace(prediction('in/caf\udce9.jpg'), instances=prediction().instances[:0]),
    )
    images = json.loads((tmp_path / 'images.json').read_text())
    assert images['images'].pop()['file_name'] == 'in/caf\udce9.jpg'  # as in Latin-1
    assert [image['id'] for image in images['images']] == [139, 'empty', '139', 'a/000003']
    assert images['images'][3]['frame'] == 3
    assert images['categories'][1] == dict(id=2, name=CLASSES[1])
    truth = COCO()
    truth.dataset = dict(images, annotations=[], info={})
    truth.createIndex()
    results = truth.loadRes(str(tmp_path / 'predictions.json'))
    assert len(results.anns) == 6
    assert sorted({str(each['image_id']) for each in results.anns.values()}) == [
        *('139', 'a/000003'),
    ]
    first = results.anns[1]
    assert (first['image_id'], first['category_id']) == (139, 1)
    assert list(first['bbox']) == [0, 36, 24, 24]
    assert results.annToMask(first).sum() == 24 * 24
    for found in results.anns.values():  # of the masks, not of the boxes
        assert found['area'] == results.annToMask(found).sum()


def test_names_of_no_letter_lead_nowhere_else(tmp_path):
    names = Names('in')
    paths = ['in/###/1.jpg', 'in/!.jpg', 'in/a/(2).jpg']
    assert [names.of(path) for path in paths] == ['_/1', '_', 'a/2']
    assert names.of_picture(prediction('in/?.mp4', frame=3)) == '__2/000003'
    found = replace(prediction(), classes=('..', '/'))
    write(Crops(tmp_path / 'crops', names), found)
    assert {name.split('/')[1] for name in files_in(tmp_path)} == {'class'}


@pytest.mark.parametrize('kind', [Names, FlatNames])
def test_names_as_long_as_the_system_takes_them(tmp_path, kind):
    names = kind('in')
    drawn = Drawn(tmp_path, names)
    paths = [f'in/{letter * (250 // len(letter.encode()))}.jpg' for letter in ('x', 'é')]
    write(drawn, *(prediction(path) for path in [*paths, paths[0].replace('.jpg', 'y.jpg')]))
    assert sorted(map(len, files_in(tmp_path))) == [104, 204, 206]


def test_nothing_at_all_is_still_json(tmp_path):
    write(CocoJson(tmp_path, Names(), CLASSES))
    assert json.loads((tmp_path / 'predictions.json').read_text()) == []
    assert json.loads((tmp_path / 'images.json').read_text())['images'] == []


def test_yolo(tmp_path):
    names = Names()
    empty = replace(prediction('c.jpg'), instances=prediction().instances[:0])
    write(YoloText(tmp_path, names, CLASSES), prediction(), empty, prediction('d', frame=1))
    assert files_in(tmp_path) == [
        *('classes.txt', 'labels/b.txt', 'labels/c.txt', 'labels/d/000001.txt'),
    ]
    assert (tmp_path / 'classes.txt').read_text().splitlines() == list(CLASSES)
    assert (tmp_path / 'labels/c.txt').read_text() == ''
    first, second = (tmp_path / 'labels/b.txt').read_text().splitlines()
    label, *numbers = map(float, first.split())
    assert label == 0
    points = np.array(numbers).reshape(-1, 2) * (128, 96)
    np.testing.assert_allclose(points.min(0), (0, 36), atol=0.2)
    np.testing.assert_allclose(points.max(0), (24, 60), atol=0.2)
    assert second.startswith('1 ')


def test_crops_are_transparent_beside_the_mask(tmp_path):
    found = prediction()
    mask = rectangle(96, 128, (0, 36, 24, 60))
    mask[36:48, :12] = 0
    empty = np.zeros_like(mask)
    rles = coco_mask.encode(np.asfortranarray(np.stack([mask, empty], 2)))
    found.instances.masks = RLEMasks(rles, 96, 128)
    found.instances.bboxes = torch.from_numpy(found.instances.masks.get_bboxes())
    write(Crops(tmp_path, Names()), found, prediction('x/b.png'))
    assert files_in(tmp_path) == ['red/b_1.png', 'red/b_2_1.png', 'traffic_light_blue/b_2_2.png']
    cut = cv2.imread(str(tmp_path / 'red/b_1.png'), cv2.IMREAD_UNCHANGED)
    assert cut.shape == (24, 24, 4)
    assert (cut[..., 3] == mask[36:60, :24] * 255).all()
    assert (cut[..., :3] == scene(0)[36:60, :24]).all()


def test_a_list_is_whole_after_every_step_and_on_a_full_disk(small_disk):
    path = small_disk / 'a.json'
    items = JsonList(path, head='{"all": [', tail=']}')
    assert json.loads(path.read_text()) == {'all': []}
    items.append([dict(a=1), dict(a='ä')])
    items.append([])
    assert json.loads(path.read_text()) == {'all': [dict(a=1), dict(a='ä')]}
    big = dict(a='x' * 100_000)
    count = 2
    with pytest.raises(OSError) as raised:
        for _ in range(100):
            items.append([big])
            count += 1
    assert raised.value.errno == errno.ENOSPC
    assert len(json.loads(path.read_text())['all']) == count > 10
    items.close()
