"""Drawing instances into an image; a pure function.

Shape letters: N instances, (h, w) the image.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from mmdet.structures import BitmapMasks

from .palette import Color

WHITE = (255, 255, 255)


def default_sizes(height: int, width: int) -> tuple[int, float]:
    """Return the width of lines in pixels, and OpenCV's scale of text, that suit an image."""
    side = min(height, width)
    return max(1, round(side / 400)), max(0.35, side / 1200)


def draw_instances(
    image: np.ndarray,
    masks: np.ndarray,
    captions: Sequence[str],
    colors: Sequence[Color],
    *,
    alpha: float = 0.45,
    line_width: int | None = None,
    text_scale: float | None = None,
    text_colors: Sequence[Color] | None = None,
    box_colors: Sequence[Color] | None = None,
) -> np.ndarray:
    """Return the image with each mask tinted, outlined and captioned.

    Args:
        image: (h, w, 3) uint8 RGB.
        masks: (N, h, w) uint8 or boolean; later ones are drawn over earlier ones.
        captions: N texts, each put at the middle of its mask.
        colors: N RGB colours of the masks.
        alpha: strength of the tint, from 0 to 1.
        line_width: of outlines and boxes in pixels; by default it grows with the image.
        text_scale: of the captions, as OpenCV scales text; by default it grows with the image.
        text_colors: N RGB colours of the captions; white by default.
        box_colors: N RGB colours of the boxes around the masks; by default there are no boxes.
    """
    canvas = image.copy()
    width, scale = default_sizes(*image.shape[:2])
    width, scale = line_width or width, text_scale or scale
    for mask, color in zip(masks, colors, strict=True):
        inside = mask.astype(bool)
        tint = (1 - alpha) * canvas[inside] + alpha * np.asarray(color)
        canvas[inside] = tint.round().astype(np.uint8)
        contours, _ = cv2.findContours(
            inside.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(canvas, contours, -1, color, width)
    if box_colors is not None:
        _boxes(canvas, masks, box_colors, width)
    text_colors = text_colors or [WHITE] * len(masks)
    for mask, caption, color, text in zip(masks, captions, colors, text_colors, strict=True):
        _caption(canvas, mask, caption, scale, background=color, color=text)
    return canvas


def _boxes(canvas: np.ndarray, masks: np.ndarray, colors: Sequence[Color], width: int) -> None:
    """Frame each mask that is not empty; its outermost pixels are under the line."""
    boxes = BitmapMasks(masks, *canvas.shape[:2]).get_bboxes().astype(int).tolist()
    for (x1, y1, x2, y2), color in zip(boxes, colors, strict=True):
        if x1 < x2:
            cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), color, width)


def _caption(
    canvas: np.ndarray,
    mask: np.ndarray,
    caption: str,
    scale: float,
    *,
    background: Color,
    color: Color,
) -> None:
    """Write on a darker shade of the mask's colour, at the mask's median pixel."""
    rows, columns = mask.nonzero()
    if not len(rows) or not caption:
        return
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width, height), baseline = cv2.getTextSize(caption, font, scale, 1)
    x = int(np.clip(np.median(columns) - width / 2, 0, max(0, canvas.shape[1] - width)))
    y = int(np.clip(np.median(rows) + height / 2, height, canvas.shape[0] - baseline))
    dark = tuple(part * 2 // 3 for part in background)
    cv2.rectangle(canvas, (x - 1, y - height - 1), (x + width, y + baseline), dark, -1)
    cv2.putText(canvas, caption, (x, y), font, scale, color, 1, cv2.LINE_AA)
