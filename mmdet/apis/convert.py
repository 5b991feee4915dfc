"""Instances in the words of other programs; pure functions.

Shape letters: N instances, n points of a polygon. A mask may have several parts, which lie apart.
"""

from collections.abc import Sequence

import numpy as np

from mmdet.structures.labelme import labelme_content, polygon_shapes, with_picture
from mmdet.structures.segmentation import json_rle
from mmdet.structures.yolo import yolo_line


def coco_results(
    rles: Sequence[dict],
    labels: np.ndarray,
    scores: np.ndarray,
    boxes: np.ndarray,
    areas: np.ndarray,
    *,
    image_id: int | str,
    category_ids: Sequence[int] | None,
) -> list[dict]:
    """Return COCO's list of results, ready for JSON; see `Prediction.to_coco`."""
    return [
        dict(
            image_id=image_id,
            category_id=int(label) + 1 if category_ids is None else category_ids[label],
            score=float(score),
            bbox=[float(x1), float(y1), float(x2 - x1), float(y2 - y1)],
            area=int(area),
            segmentation=json_rle(rle),
        )
        for rle, label, score, (x1, y1, x2, y2), area in zip(
            rles, labels, scores, boxes, areas, strict=True
        )
    ]


def yolo_lines(
    polygons: Sequence[np.ndarray], labels: np.ndarray, size: tuple[int, int]
) -> list[str]:
    """Return Ultralytics' `class x1 y1 x2 y2 ...` for each polygon that has points.

    Args:
        polygons: (n, 2) in pixels, one an instance.
        labels: (N,) class indices.
        size: (height, width) of the picture.
    """
    found = zip(labels, polygons, strict=True)
    return [yolo_line(label, polygon, size) for label, polygon in found if len(polygon)]


def labelme_file(
    polygons: Sequence[Sequence[np.ndarray]],
    names: Sequence[str],
    scores: np.ndarray,
    image: np.ndarray,
    path: str,
) -> dict:
    """Return the content of a labelme file, ready for JSON; see `Prediction.to_labelme`.

    Args:
        polygons: (n, 2) in pixels, those of each instance's parts.
        names: N classes.
        scores: (N,).
        image: (h, w, 3) uint8 BGR; it is put into the file if there is no path.
        path: of the picture, from the labelme file's folder.
    """
    shapes = [
        shape
        for index, (parts, name, score) in enumerate(zip(polygons, names, scores, strict=True))
        for shape in polygon_shapes(name, parts, index, f'score {score:.3f}')
    ]
    content = labelme_content(shapes, path, image.shape[:2])
    return content if path else with_picture(content, image)
