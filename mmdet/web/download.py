"""What a visitor takes away: the picture with its masks, and the instances as COCO's JSON."""

from collections.abc import Sequence

import cv2
import numpy as np

from mmdet.apis import Prediction
from mmdet.visualization import draw_instances

from .view import captions, instance_colors, largest_first


def draw(picture: np.ndarray, prediction: Prediction) -> np.ndarray:
    """Return the (h, w, 3) uint8 BGR picture with the instances as the page shows them.

    One mask at a time is unpacked: a hundred of a large picture's would take gigabytes.

    Args:
        picture: (h, w, 3) uint8 BGR.
        prediction: its instances have their `number`.
    """
    colors, texts = instance_colors(prediction), captions(prediction)
    drawn = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    for index in largest_first(prediction):
        mask = prediction.instances.masks[index].to_ndarray()
        drawn = draw_instances(drawn, mask, [texts[index]], [colors[index]])
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
