"""Drawing instances into an image; a pure function.

Shape letters: N instances, (h, w) the image.
"""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from .palette import Color

WHITE = (255, 255, 255)


def default_sizes(height: int, width: int) -> tuple[int, float]:
    """Return the width of lines in pixels, and OpenCV's scale of text, that suit an image."""
    side = min(height, width)
    return max(1, round(side / 400)), max(0.35, side / 1200)


def draw_instances(
    image: np.ndarray,
    masks: Iterable[np.ndarray],
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
        masks: N of (h, w) uint8 or boolean, each looked at once; later ones are drawn over earlier
            ones.
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
    parts = [
        _tint(canvas, mask, color, alpha=alpha, line_width=width)
        for mask, color in zip(masks, colors, strict=True)
    ]
    if box_colors is not None:
        for part, color in zip(parts, box_colors, strict=True):
            if part is not None:  # its outermost pixels are under the line
                (x1, y1, x2, y2), _ = part
                cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), color, width)
    text_colors = text_colors or [WHITE] * len(parts)
    for part, caption, color, text in zip(parts, captions, colors, text_colors, strict=True):
        if part is not None and caption:
            _caption(canvas, part[1], caption, scale, background=color, color=text)
    return canvas


def _tint(
    canvas: np.ndarray, mask: np.ndarray, color: Color, *, alpha: float, line_width: int
) -> tuple[Sequence[int], tuple[float, float]] | None:
    """Tint and outline a mask; return its xyxy box and its median (x, y), None if it is empty."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    if not len(rows):
        return None
    # Nothing but the part of the picture around it is looked at.
    left, top, right, bottom = box = (
        *(int(columns[0]), int(rows[0])),
        *(int(columns[-1]) + 1, int(rows[-1]) + 1),
    )
    inside = mask[top:bottom, left:right].astype(bool)
    part = canvas[top:bottom, left:right]
    part[inside] = ((1 - alpha) * part[inside] + alpha * np.asarray(color)).round()
    contours, _ = cv2.findContours(
        inside.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(left, top)
    )
    cv2.drawContours(canvas, contours, -1, color, line_width)
    rows, columns = inside.nonzero()
    return box, (left + float(np.median(columns)), top + float(np.median(rows)))


def _caption(
    canvas: np.ndarray,
    middle: tuple[float, float],
    caption: str,
    scale: float,
    *,
    background: Color,
    color: Color,
) -> None:
    """Write on a darker shade of the mask's colour, around an (x, y)."""
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width, height), baseline = cv2.getTextSize(caption, font, scale, 1)
    x = int(np.clip(middle[0] - width / 2, 0, max(0, canvas.shape[1] - width)))
    y = int(np.clip(middle[1] + height / 2, height, canvas.shape[0] - baseline))
    dark = tuple(part * 2 // 3 for part in background)
    cv2.rectangle(canvas, (x - 1, y - height - 1), (x + width, y + baseline), dark, -1)
    cv2.putText(canvas, caption, (x, y), font, scale, color, 1, cv2.LINE_AA)
