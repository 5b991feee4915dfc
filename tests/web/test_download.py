"""What a visitor takes away is what the page shows."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pycocotools.coco import COCO

from mmdet.visualization import draw_instances
from mmdet.web import Upload, analyse
from mmdet.web.download import coco_json, draw
from mmdet.web.view import captions, instance_colors, largest_first
from tests.apis.videos import scene
from tests.web.conftest import CLASSES


@pytest.fixture
def frames(detector):
    upload = Upload('clip.mp4', (scene(number) for number in range(2)))
    return analyse({'a': detector}, upload).frames


def test_coco_reads_it(frames, tmp_path):
    found = [frame.found[0].filter(0.5) for frame in frames]
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(coco_json(found, 'clip.mp4')))
    coco = COCO(str(path))
    assert [each['name'] for each in coco.loadCats(coco.getCatIds())] == list(CLASSES)
    assert [each['frame'] for each in coco.loadImgs(coco.getImgIds())] == [0, 1]
    assert len(coco.getAnnIds()) == sum(map(len, found))
    for image, prediction in enumerate(found, start=1):
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image))
        for each, mask, name in zip(annotations, prediction.masks, prediction.names, strict=True):
            assert (coco.annToMask(each) == mask).all()
            assert CLASSES[each['category_id'] - 1] == name


def test_one_picture_has_no_frame(frames):
    (image,) = coco_json([frames[0].found[0]], 'a.png')['images']
    assert image == dict(id=1, file_name='a.png', height=96, width=128)


def test_it_is_drawn_in_parts_as_it_would_be_whole(frames):
    found, picture = frames[0].found[0], frames[0].picture()
    order, colors, texts = largest_first(found), instance_colors(found), captions(found)
    whole = picture[..., ::-1]
    for index in order:
        whole = draw_instances(whole, found.masks[[index]], [texts[index]], [colors[index]])
    np.testing.assert_array_equal(draw(picture, found), whole[..., ::-1])


def test_the_picture_is_tinted_where_masks_are(frames):
    found = frames[0].found[0]
    areas = found.instances.masks.areas
    middle = int(np.argsort(areas)[len(areas) // 2])
    alone = replace(found, instances=found.instances[middle])
    grey = np.full((96, 128, 3), 128, np.uint8)
    drawn = draw(grey, alone)
    assert (grey == 128).all()
    (mask,) = alone.masks
    # Its colour in the order of OpenCV; some of it lies under the caption.
    tint = np.round(0.55 * 128 + 0.45 * np.array(instance_colors(alone)[0][::-1]))
    assert (np.abs(drawn[mask] - tint).max(1) <= 1).mean() > 0.2
    assert (drawn[~mask] == 128).all(1).mean() > 0.7
