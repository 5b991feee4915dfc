"""The scene, as each format has it, written in each that is written here."""

from functools import partial

import pytest

from mmdet.datasets.conversion.collection import collect
from mmdet.datasets.conversion.source import open_source
from mmdet.datasets.conversion.to_coco import write_coco
from mmdet.datasets.conversion.to_labelme import write_labelme
from mmdet.datasets.conversion.to_yolo import write_yolo
from tests.datasets.formats.test_cityscapes import write_cityscapes
from tests.datasets.formats.test_lvis import write as write_release
from tests.datasets.formats.test_voc import write_voc

from .mixed import assert_same, masks

write_lvis = partial(write_release, release='v1')


@pytest.mark.parametrize('write', [write_coco, write_labelme, write_yolo])
@pytest.mark.parametrize(
    ('make', 'part'), [(write_voc, 'train'), (write_cityscapes, 'train'), (write_lvis, 'val')]
)
def test_any_format_in_any_other(tmp_path, make, part, write):
    root, out = tmp_path / 'in', tmp_path / 'out'
    root.mkdir()
    out.mkdir()
    make(root)
    before = collect(open_source(root))
    write(before, out, link=False)
    after = collect(open_source(out))
    assert list(before.parts) == list(after.parts) == [part]
    assert len(before.parts[part]) == len(after.parts[part]) == 3
    assert len(masks(before, part)) == 4
    assert before.classes == after.classes
    for collection in (before, after):
        collection.parts[part].sort(key=lambda picture: picture.image['file_name'])
    assert_same(masks(before, part), masks(after, part))
