"""Small pictures."""

import cv2
import numpy as np

from mmdet.engine.report_page.thumbnails import thumbnail
from mmdet.structures.coded_masks import masks_of


def test_a_lost_object_is_marked(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((50, 100, 3), 90, np.uint8))
    corners = [20.0, 10.0, 60.0, 10.0, 60.0, 30.0, 20.0, 30.0]
    masks = masks_of([[corners]], 50, 100).resize((100, 200))
    shown = thumbnail(str(tmp_path / 'a.png'), side=400, masks=masks)
    assert shown.shape == (200, 400, 3)
    is_red = shown[..., 2] > shown[..., 0] + 50
    assert is_red[45:115, 85:235].all()
    is_red[30:130, 70:250] = False
    assert not is_red.any()
    assert thumbnail(str(tmp_path / 'gone.png'), side=400) is None
