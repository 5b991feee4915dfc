"""Drawing instances into an image; a pure function."""

from collections.abc import Sequence

import cv2
import numpy as np


def draw_instances(
    image: np.ndarray,
    masks: np.ndarray,
    captions: Sequence[str],
    colors: Sequence[tuple[int, int, int]],
    *,
    alpha: float = 0.45,
) -> np.ndarray:
    """Return the image with each mask tinted, outlined and captioned.

    Args:
        image: (h, w, 3) uint8 RGB.
        masks: (N, h, w) uint8 or boolean; later ones are drawn over earlier ones.
        captions: N texts, each put at the middle of its mask.
        colors: N RGB colours.
        alpha: strength of the tint, from 0 to 1.
    """
    canvas = image.copy()
    outline = max(1, round(min(image.shape[:2]) / 400))
    for mask, color in zip(masks, colors, strict=True):
        inside = mask.astype(bool)
        tint = (1 - alpha) * canvas[inside] + alpha * np.asarray(color)
        canvas[inside] = tint.round().astype(np.uint8)
        contours, _ = cv2.findContours(
            inside.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(canvas, contours, -1, color, outline)
    for mask, caption, color in zip(masks, captions, colors, strict=True):
        _caption(canvas, mask, caption, color)
    return canvas


def _caption(
    canvas: np.ndarray, mask: np.ndarray, caption: str, color: tuple[int, int, int]
) -> None:
    """Write white on the mask's colour, at the mask's median pixel."""
    rows, columns = mask.nonzero()
    if not len(rows) or not caption:
        return
    scale = max(0.35, min(canvas.shape[:2]) / 1200)
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width, height), baseline = cv2.getTextSize(caption, font, scale, 1)
    x = int(np.clip(np.median(columns) - width / 2, 0, max(0, canvas.shape[1] - width)))
    y = int(np.clip(np.median(rows) + height / 2, height, canvas.shape[0] - baseline))
    dark = tuple(part * 2 // 3 for part in color)
    cv2.rectangle(canvas, (x - 1, y - height - 1), (x + width, y + baseline), dark, -1)
    cv2.putText(canvas, caption, (x, y), font, scale, (255, 255, 255), 1, cv2.LINE_AA)
