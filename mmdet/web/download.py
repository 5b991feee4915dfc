"""What a visitor takes away: the picture with its masks, and the instances as COCO's JSON."""

from collections.abc import Sequence

import cv2
import numpy as np

from mmdet.apis import Prediction
from mmdet.structures.segmentation import decode_segmentation
from mmdet.visualization.draw import default_sizes, draw_instances

from .view import captions, instance_colors, largest_first


def draw(picture: np.ndarray, prediction: Prediction) -> np.ndarray:
    """Return the (h, w, 3) uint8 BGR picture with the instances as the page shows them.

    One mask at a time, and just the part of the picture around it: a hundred of a large picture's
    would take gigabytes and minutes.

    Args:
        picture: (h, w, 3) uint8 BGR.
        prediction: its instances have a `number` and a `turn`, see `Frame`.
    """
    height, width = picture.shape[:2]
    line, scale = default_sizes(height, width)
    colors, texts = instance_colors(prediction), captions(prediction)
    rles, boxes = prediction.rles, prediction.boxes.astype(int)
    drawn = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    for index in largest_first(prediction):
        # Room for half the caption either side: no letter is wider than 30 pixels or as high.
        room = line + round(30 * scale) * (1 + len(texts[index]) // 2)
        x1, y1 = np.maximum(boxes[index, :2] - room, 0)
        x2, y2 = np.minimum(boxes[index, 2:] + room, (width, height))
        mask = decode_segmentation(rles[index], height, width)[y1:y2, x1:x2]
        drawn[y1:y2, x1:x2] = draw_instances(
            drawn[y1:y2, x1:x2],
            mask[None],
            [texts[index]],
            [colors[index]],
            line_width=line,
            text_scale=scale,
        )
    return cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR)


def coco_json(predictions: Sequence[Prediction], name: str) -> dict:
    """Return instances as an annotation file in COCO's format, with scores.

    Args:
        predictions: of one model: one for a picture, or one for each frame of a video.
        name: of the picture or video.

    Returns:
        `images`, `annotations` and `categories`: all classes that the model knows, from 1.
    """
    images: list[dict] = []
    annotations: list[dict] = []
    for index, prediction in enumerate(predictions, start=1):
        height, width = prediction.image.shape[:2]
        images.append(dict(id=index, file_name=name, height=height, width=width))
        if len(predictions) > 1:
            images[-1]['frame'] = prediction.frame
        annotations += prediction.to_coco(image_id=index)
    numbered = [dict(each, id=index, iscrowd=0) for index, each in enumerate(annotations, start=1)]
    categories = [
        dict(id=index, name=each) for index, each in enumerate(predictions[0].classes, start=1)
    ]
    return dict(images=images, annotations=numbered, categories=categories)
