"""A prediction as HTML: the picture, its masks as shapes that the pointer meets, and a table.

The masks are SVG paths, not pictures: a page with a hundred of them is some 100 kB, the browser
itself knows which one is under the pointer, and small ones lie above the large ones around them.
"""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from itertools import chain

import cv2
import numpy as np

from mmdet.apis import Prediction
from mmdet.structures import RLEMasks
from mmdet.structures.outlines import trace
from mmdet.structures.segmentation import decode_segmentation
from mmdet.visualization.palette import Color, class_colors

_PREVIEW = 1280  # the longest side of a shown picture, in pixels
_TONES = (0.0, 0.45, -0.35)  # of a class's instances by turns: its colour, lighter, darker
_COLUMNS = ('', 'Class', 'Score', 'Pixels', 'Share', 'x1, y1, x2, y2')


def svg_paths(masks: RLEMasks) -> list[str]:
    """Return each mask's outlines and those of its holes as an SVG path, in the masks' pixels.

    Traced at the size that is shown at most: what is not seen need not be sent.
    """
    height, width = masks.height, masks.width
    factor = min(1.0, _PREVIEW / max(height, width))
    paths = []
    for rle, (x1, y1, x2, y2) in zip(masks.rles, masks.get_bboxes().astype(int), strict=True):
        part = decode_segmentation(rle, height, width)[y1:y2, x1:x2]
        shape = np.array(part.shape[::-1])
        size = np.ceil(shape * factor).astype(int)
        outlines: Iterable[np.ndarray] = ()
        if part.size:
            small = cv2.resize(part, size.tolist(), interpolation=cv2.INTER_NEAREST)
            outlines = chain(*trace(small, tolerance=0.5))
        paths.append(''.join(f'M{_points(each * shape / size + (x1, y1))}Z' for each in outlines))
    return paths


def _points(outline: np.ndarray) -> str:
    return ' '.join(f'{x:.5g},{y:.5g}' for x, y in outline.tolist())


def preview(picture: np.ndarray) -> str:
    """Return a (h, w, 3) BGR picture as a `data:` address, no larger than it is shown."""
    factor = min(1.0, _PREVIEW / max(picture.shape[:2]))
    if factor < 1:
        picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    _, packed = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return f'data:image/jpeg;base64,{base64.b64encode(packed.tobytes()).decode()}'


def scene(prediction: Prediction, src: str, *, title: str, total: int) -> str:
    """Return the picture with its masks, and the table of instances, as HTML.

    What belongs to one instance has its number as `data-n`: the page lights it up together.

    Args:
        prediction: its instances have `number` and `outline`.
        src: the picture's address, see `preview`.
        title: above it.
        total: how many instances there were before any was filtered out.
    """
    height, width = prediction.image.shape[:2]
    numbers, outlines = prediction.instances.number.tolist(), prediction.instances.outline
    colors, texts = list(map(_hex, instance_colors(prediction))), captions(prediction)
    places = prediction.boxes[:, :2] / (width, height)
    paths: list[str] = []
    names: list[str] = []
    for index in largest_first(prediction):
        number, color, (left, top) = numbers[index], colors[index], places[index]
        paths.append(
            f'<path data-n="{number}" fill="{color}" stroke="{color}" d="{outlines[index]}"/>'
        )
        names.append(
            f'<span data-n="{number}" style="left:{left:.1%};top:{top:.1%}">'
            f'{escape(texts[index])}</span>'
        )
    head = f'<h3>{escape(title)} <small>{len(numbers)} of {total} instances</small></h3>'
    return (
        f'{head}<div class="scene"><img src="{src}" decoding="sync" alt="">'
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none">{"".join(paths)}</svg>'
        f'{"".join(names)}</div>{_table(prediction, colors)}'
    )


def _table(prediction: Prediction, colors: Sequence[str]) -> str:
    if not len(prediction):
        return '<p>Nothing scores that high: lower the score, or choose more classes.</p>'
    height, width = prediction.image.shape[:2]
    body = ''.join(
        f'<tr data-n="{number}" tabindex="0"><td><i style="background:{color}"></i>{number}</td>'
        f'<td>{escape(name)}</td><td>{score:.2f}</td><td>{area:,}</td>'
        f'<td>{area / (height * width):.1%}</td><td>{", ".join(f"{edge:.0f}" for edge in box)}</td>'
        '</tr>'
        for number, color, name, score, area, box in zip(
            prediction.instances.number.tolist(),
            colors,
            prediction.names,
            prediction.scores.tolist(),
            prediction.instances.masks.areas.tolist(),
            prediction.boxes.tolist(),
            strict=True,
        )
    )
    head = ''.join(f'<th>{each}</th>' for each in _COLUMNS)
    return (
        f'<div class="instances"><table><thead><tr>{head}</tr></thead>'
        f'<tbody>{body}</tbody></table></div>'
    )


def largest_first(prediction: Prediction) -> list[int]:
    """Return the order in which to draw: the small above the large, of equal ones the better."""
    areas = prediction.instances.masks.areas.tolist()
    return sorted(range(len(areas)), key=lambda index: (areas[index], index), reverse=True)


def captions(prediction: Prediction) -> list[str]:
    """Return number, class and score of each instance."""
    return [
        f'{number} {name} {score:.2f}'
        for number, name, score in zip(
            prediction.instances.number.tolist(), prediction.names, prediction.scores, strict=True
        )
    ]


def instance_colors(prediction: Prediction) -> list[Color]:
    """Return a colour for each instance: its class's, in another tone than the one before."""
    palette = class_colors(prediction.palette, len(prediction.classes))
    return [
        _toned(palette[label], _TONES[turn % len(_TONES)])
        for label, turn in zip(
            prediction.labels.tolist(), prediction.instances.turn.tolist(), strict=True
        )
    ]


def _toned(color: Color, tone: float) -> Color:
    """Mix a colour with white (tone > 0) or black (tone < 0)."""
    aim = 255 if tone > 0 else 0
    red, green, blue = (round(part + (aim - part) * abs(tone)) for part in color)
    return red, green, blue


def _hex(color: Color) -> str:
    return '#' + ''.join(f'{part:02x}' for part in color)
