"""Drawing one image of the data set shapes: objects, textures, occlusion.

The colours and textures of an object are independent of its class, so a model has to learn shape;
objects occlude each other and vary in size as photographed ones do.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator

IMAGE_SIZES = ((256, 320), (320, 256), (240, 320), (320, 240), (288, 288))  # height, width
MAX_OBJECTS = 12
EMPTY_FRACTION = 0.02
SIZE_RANGE = (12, 200)  # sqrt(width * height) of the whole shape's box, in pixels
MIN_VISIBLE_FRACTION = 0.5
MIN_VISIBLE_PIXELS = 40
PLACEMENT_TRIES = 12
SUPERSAMPLING = 4

Outline = list[np.ndarray]


# --- Outlines: closed curves around the origin, of any scale; a second curve cuts a hole. ---


def _arc(start: float, stop: float, radius: float = 1.0, num_points: int = 64) -> np.ndarray:
    """Points (num_points, 2) on a circle around the origin, from one angle to another."""
    angles = np.linspace(start, stop, num_points)
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _ellipse(rng: Generator) -> Outline:
    return [_arc(0, 2 * np.pi)]


def _triangle(rng: Generator) -> Outline:
    return [_arc(0, 4 / 3 * np.pi, num_points=3) + rng.uniform(-0.2, 0.2, size=(3, 2))]


def _rectangle(rng: Generator) -> Outline:
    return [np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=float)]


def _star(rng: Generator) -> Outline:
    tips = int(rng.integers(5, 7))
    points = _arc(0, 2 * np.pi * (1 - 0.5 / tips), num_points=2 * tips)
    points[1::2] *= rng.uniform(0.4, 0.5)
    return [points]


def _ring(rng: Generator) -> Outline:
    return [_arc(0, 2 * np.pi), _arc(0, 2 * np.pi, radius=rng.uniform(0.45, 0.65))]


def _cross(rng: Generator) -> Outline:
    arm = rng.uniform(0.25, 0.38)
    quarter = np.array([[arm, arm], [arm, 1], [-arm, 1]])
    turn = np.array([[0, 1], [-1, 0]])
    return [np.concatenate([quarter @ np.linalg.matrix_power(turn, k) for k in range(4)])]


def _crescent(rng: Generator) -> Outline:
    horn = rng.uniform(0.2, 0.3) * np.pi
    centre = np.array([rng.uniform(0.45, 0.65), 0])
    outer = _arc(horn, 2 * np.pi - horn)
    x, y = outer[-1] - centre
    end = np.arctan2(y, x) % (2 * np.pi)
    inner = _arc(end, 2 * np.pi - end, radius=np.hypot(x, y)) + centre
    return [np.concatenate([outer, inner])]


def _heart(rng: Generator) -> Outline:
    t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return [np.stack([16 * np.sin(t) ** 3, -y], axis=1)]


OUTLINES: dict[str, Callable[[Generator], Outline]] = {
    'ellipse': _ellipse,
    'triangle': _triangle,
    'rectangle': _rectangle,
    'star': _star,
    'ring': _ring,
    'cross': _cross,
    'crescent': _crescent,
    'heart': _heart,
}
CLASSES = tuple(OUTLINES)


def draw_shape(rng: Generator, name: str, size: float) -> np.ndarray:
    """Draw the silhouette of one shape with a random aspect, rotation and sub-pixel offset.

    Args:
        rng: Source of randomness.
        name: One of ``CLASSES``.
        size: Wanted ``sqrt(width * height)`` of the shape's box, in pixels.

    Returns:
        How much of each pixel the shape covers: (h, w) float32 in [0, 1], cropped to the shape.
    """
    aspect, angle = rng.uniform(0.65, 1.0), rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    transform = np.array([[1, 0], [0, aspect]]) @ np.array([[cos, sin], [-sin, cos]])
    return _rasterise([c @ transform for c in OUTLINES[name](rng)], size, rng.uniform(size=2))


def _rasterise(outline: Outline, size: float, offset: np.ndarray) -> np.ndarray:
    points = np.concatenate(outline)
    lower, extent = points.min(axis=0), np.ptp(points, axis=0)
    scale = size / np.sqrt(extent.prod())
    width, height = np.ceil(extent * scale + offset).astype(int)
    # OpenCV's integers are pixel centres, hence the half; its fixed point has 4 fractional bits.
    scaled = [((c - lower) * scale + offset) * SUPERSAMPLING - 0.5 for c in outline]
    curves = [np.round(c * 16).astype(np.int32) for c in scaled]
    fine = np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING), dtype=np.float32)
    cv2.fillPoly(fine, curves, color=1.0, shift=4)
    return cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)


# --- Textures: fields (height, width) of about -1 to 1, tinted and added to a colour. ---


def _ramp(rng: Generator, height: int, width: int) -> np.ndarray:
    """Distance in pixels along a random direction, from a random origin."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.ogrid[:height, :width]
    ramp = np.cos(angle) * x + np.sin(angle) * y + rng.uniform(0, 100)
    return ramp.astype(np.float32)


def _gradient(rng: Generator, height: int, width: int) -> np.ndarray:
    ramp = _ramp(rng, height, width)
    return 2 * (ramp - ramp.min()) / max(np.ptp(ramp), 1) - 1


def _stripes(rng: Generator, height: int, width: int) -> np.ndarray:
    return np.sin(_ramp(rng, height, width) * 2 * np.pi / rng.uniform(5, 40))


def _checks(rng: Generator, height: int, width: int) -> np.ndarray:
    return _stripes(rng, height, width) * _stripes(rng, height, width)


def _clouds(rng: Generator, height: int, width: int) -> np.ndarray:
    """Smooth noise whose blobs double in size, and weight, from one octave to the next."""
    field = np.zeros((height, width), dtype=np.float32)
    for octave in range(1, 6):
        cells = (height // 2**octave + 2, width // 2**octave + 2)
        noise = rng.standard_normal(cells, dtype=np.float32)
        field += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) * 2**octave
    return field / 62


PATTERNS = (_gradient, _stripes, _checks, _clouds)


def _texture(rng: Generator, colour: np.ndarray, height: int, width: int) -> np.ndarray:
    """A surface (height, width, 3) float32 of about the given colour (3,)."""
    channels = [np.full((height, width), value, dtype=np.float32) for value in colour]
    for pattern in (PATTERNS[rng.integers(len(PATTERNS))], _clouds):
        field = rng.uniform(5, 40) * pattern(rng, height, width)
        for channel, tint in zip(channels, rng.normal(loc=1, scale=0.5, size=3), strict=True):
            channel += float(tint) * field
    return cv2.merge(channels)


def _contrasting_colour(rng: Generator, behind: np.ndarray) -> np.ndarray:
    """A random colour that differs visibly from nearly all pixels (h, w, 3) behind an object."""
    contrast = rng.uniform(60, 140)
    pixels = behind[::3, ::3].reshape(-1, 3)
    candidates = rng.uniform(20, 235, size=(12, 3)).astype(np.float32)
    distances = np.linalg.norm(candidates[:, None] - pixels, axis=2)
    margins = np.quantile(distances, 0.1, axis=1)
    return candidates[np.abs(margins - contrast).argmin()]


# --- Images. ---


def draw_image(
    rng: Generator,
    *,
    size: tuple[int, int] | None = None,
    max_objects: int = MAX_OBJECTS,
    object_sizes: tuple[float, float] = SIZE_RANGE,
) -> tuple[np.ndarray, list[int], np.ndarray]:
    """Draw one image with some objects, of which later ones may partly hide earlier ones.

    Nothing that can be seen goes unlabelled: an object that would hide too much of another is put
    elsewhere or left out.

    Args:
        rng: Source of randomness; the same state gives the same image.
        size: (height, width) in pixels; by default one of ``IMAGE_SIZES``.
        max_objects: At most so many, and at most 255; there may be none.
        object_sizes: The smallest and largest ``sqrt(width * height)`` of a whole object's box, in
            pixels. One of which less than ``MIN_VISIBLE_PIXELS`` would be seen is left out.

    Returns:
        The image, (h, w, 3) uint8 BGR; the objects' labels, indices into ``CLASSES``; and the
        visible part of each object, (n, h, w) uint8 of 0 and 1, no two of which overlap.
    """
    height, width = size or IMAGE_SIZES[rng.integers(len(IMAGE_SIZES))]
    canvas = _texture(rng, rng.uniform(20, 235, size=3), height, width)
    owner = np.zeros((height, width), dtype=np.uint8)  # the object seen at a pixel, from 1 on
    labels: list[int] = []
    areas: list[int] = []
    for _ in range(_num_objects(rng, max_objects)):
        label = int(rng.integers(len(CLASSES)))
        placed = _place(rng, CLASSES[label], _random_size(rng, object_sizes), owner, areas)
        if placed is None:
            continue
        box, coverage = placed
        _paint(rng, canvas[box], coverage)
        covered = coverage >= 0.5
        labels.append(label)
        areas.append(int(np.count_nonzero(covered)))
        owner[box][covered] = len(labels)
    masks = [(owner == number).astype(np.uint8) for number in range(1, len(labels) + 1)]
    return _photograph(rng, canvas), labels, np.array(masks).reshape(-1, height, width)


def _num_objects(rng: Generator, max_objects: int) -> int:
    if rng.random() < EMPTY_FRACTION:
        return 0
    return int(rng.integers(1, max_objects + 1, size=2).min())


def _random_size(rng: Generator, object_sizes: tuple[float, float]) -> float:
    """On a log scale, as with photographs; both extremes occur but less often than the middle."""
    smallest, largest = object_sizes
    return smallest * (largest / smallest) ** rng.beta(2.0, 1.5)


def _place(
    rng: Generator, name: str, size: float, owner: np.ndarray, areas: list[int]
) -> tuple[tuple[slice, slice], np.ndarray] | None:
    """Find a place for a new object; return its box and coverage, or None if there is no room.

    Args:
        rng: Source of randomness.
        name: The new object's class.
        size: ``sqrt(width * height)`` of its box, in pixels.
        owner: (h, w) uint8, the number of the object seen at each pixel, 0 where there is none.
        areas: The whole area in pixels of each object so far, object 1 first.
    """
    needed = np.maximum(MIN_VISIBLE_PIXELS, MIN_VISIBLE_FRACTION * np.array(areas))
    visible = np.bincount(owner.ravel(), minlength=len(areas) + 1)[1:]
    for _ in range(PLACEMENT_TRIES):
        coverage = draw_shape(rng, name, size)
        height, width = coverage.shape
        room = np.subtract(owner.shape, coverage.shape)
        if room.min() < 0:
            continue
        top, left = rng.integers(room + 1)
        box = np.s_[top : top + height, left : left + width]
        covered = coverage >= 0.5
        hidden = np.bincount(owner[box][covered], minlength=len(areas) + 1)[1:]
        if covered.sum() >= MIN_VISIBLE_PIXELS and (visible - hidden >= needed).all():
            return box, coverage
    return None


def _paint(rng: Generator, behind: np.ndarray, coverage: np.ndarray) -> None:
    """Paint a textured object, in place, over the part of the canvas (h, w, 3) behind it."""
    fill = _texture(rng, _contrasting_colour(rng, behind), *coverage.shape)
    behind += coverage[..., None] * (fill - behind)


def _photograph(rng: Generator, canvas: np.ndarray) -> np.ndarray:
    """What a camera makes of the canvas: slightly out of focus, with sensor noise."""
    image = cv2.GaussianBlur(canvas, ksize=(5, 5), sigmaX=rng.uniform(0.3, 0.8))
    image += rng.uniform(2, 8) * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)
