"""Shapes: a drawn instance-segmentation data set in COCO's format and folder layout.

It stands in for COCO where COCO is not at hand: every image, mask and label is drawn from a seed
with NumPy and OpenCV. The colours and textures of an object are independent of its class, so a
model has to learn shape; objects occlude each other and vary in size as photographed ones do.

Draw it with ``python -m mmdet.datasets.shapes ROOT``.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from multiprocessing.pool import Pool
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from pycocotools import mask as coco_mask

IMAGE_SIZES = ((256, 320), (320, 256), (240, 320), (320, 240), (288, 288))  # height, width
MAX_OBJECTS = 12
EMPTY_FRACTION = 0.02
SIZE_RANGE = (12, 200)  # sqrt(width * height) of the whole shape's box, in pixels
MIN_VISIBLE_FRACTION = 0.5
MIN_VISIBLE_PIXELS = 40
PLACEMENT_TRIES = 12
SUPERSAMPLING = 4
MIN_POLYGON_IOU = 0.95
JPEG_QUALITY = 92

Outline = list[np.ndarray]
Segmentation = list[list[float]] | dict[str, list[int]]


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
    tips = rng.integers(5, 7)
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


def draw_image(rng: Generator) -> tuple[np.ndarray, list[int], np.ndarray]:
    """Draw one image with 0 to 12 objects, of which later ones may partly hide earlier ones.

    Nothing that can be seen goes unlabelled: an object that would hide too much of another is put
    elsewhere or left out.

    Args:
        rng: Source of randomness; the same state gives the same image.

    Returns:
        The image, (h, w, 3) uint8 BGR; the objects' labels, indices into ``CLASSES``; and the
        visible part of each object, (n, h, w) uint8 of 0 and 1, no two of which overlap.
    """
    height, width = IMAGE_SIZES[rng.integers(len(IMAGE_SIZES))]
    canvas = _texture(rng, rng.uniform(20, 235, size=3), height, width)
    owner = np.zeros((height, width), dtype=np.uint8)  # the object seen at a pixel, from 1 on
    labels, areas = [], []
    for _ in range(_num_objects(rng)):
        label = int(rng.integers(len(CLASSES)))
        placed = _place(rng, CLASSES[label], owner, areas)
        if placed is None:
            continue
        box, coverage = placed
        _paint(rng, canvas[box], coverage)
        covered = coverage >= 0.5
        labels.append(label)
        areas.append(np.count_nonzero(covered))
        owner[box][covered] = len(labels)
    masks = [(owner == number).astype(np.uint8) for number in range(1, len(labels) + 1)]
    return _photograph(rng, canvas), labels, np.array(masks).reshape(-1, height, width)


def _num_objects(rng: Generator) -> int:
    if rng.random() < EMPTY_FRACTION:
        return 0
    return int(rng.integers(1, MAX_OBJECTS + 1, size=2).min())


def _random_size(rng: Generator) -> float:
    """On a log scale, as with photographs; both extremes occur but less often than the middle."""
    smallest, largest = SIZE_RANGE
    return smallest * (largest / smallest) ** rng.beta(2.0, 1.5)


def _place(
    rng: Generator, name: str, owner: np.ndarray, areas: list[int]
) -> tuple[tuple[slice, slice], np.ndarray] | None:
    """Find a place for a new object; return its box and coverage, or None if there is no room.

    Args:
        rng: Source of randomness.
        name: The new object's class.
        owner: (h, w) uint8, the number of the object seen at each pixel, 0 where there is none.
        areas: The whole area in pixels of each object so far, object 1 first.
    """
    size = _random_size(rng)
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


# --- COCO annotations. ---


def encode_mask(mask: np.ndarray) -> Segmentation:
    """Write a mask (h, w) of 0 and 1 as COCO polygons, or as run lengths where those would lie.

    COCO's polygons cannot have holes, and describe masks of a few pixels badly.
    """
    polygons = _trace(mask)
    if polygons:
        decoded = decode_segmentation(polygons, *mask.shape)
        union = np.count_nonzero(mask | decoded)
        if np.count_nonzero(mask & decoded) >= MIN_POLYGON_IOU * union:
            return polygons
    return _run_lengths(mask)


def decode_segmentation(segmentation: Segmentation, height: int, width: int) -> np.ndarray:
    """The mask (height, width) uint8 that COCO's own tools make of a segmentation."""
    rle = coco_mask.frPyObjects(segmentation, height, width)
    return coco_mask.decode(coco_mask.merge(rle) if isinstance(rle, list) else rle)


def _trace(mask: np.ndarray) -> list[list[float]]:
    """Simplified outlines of a mask's parts; none at all if it has a hole."""
    # OpenCV's contours run through the centres of the border pixels, which would cost half a pixel
    # all around. On an enlarged mask the same rule costs only an eighth.
    enlarged = cv2.resize(mask, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    contours, hierarchy = cv2.findContours(enlarged, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    parents = hierarchy[0, :, 3]
    if (parents >= 0).any():
        return []
    simplified = [cv2.approxPolyDP(c, epsilon=3, closed=True) for c in contours]
    return [((c + 0.5) / 4).ravel().tolist() for c in simplified if len(c) >= 3]


def _run_lengths(mask: np.ndarray) -> dict[str, list[int]]:
    """Uncompressed COCO run lengths: down the columns, zeros and ones in turn, zeros first."""
    pixels = mask.ravel(order='F')
    changes = np.flatnonzero(np.diff(pixels, prepend=0))
    runs = np.diff(changes, prepend=0, append=pixels.size)
    return {'size': list(mask.shape), 'counts': runs.tolist()}


def _annotate(mask: np.ndarray, label: int) -> dict:
    """A COCO annotation, short of its ids; the area and box are those of the mask as decoded."""
    segmentation = encode_mask(mask)
    decoded = decode_segmentation(segmentation, *mask.shape)
    return {
        'category_id': label + 1,
        'bbox': [float(v) for v in cv2.boundingRect(decoded)],
        'area': float(decoded.sum()),
        'iscrowd': 0,
        'segmentation': segmentation,
    }


# --- The data set on disk. ---


def draw_dataset(
    root: str | os.PathLike,
    num_train: int = 2700,
    num_val: int = 300,
    seed: int = 0,
    num_workers: int | None = None,
) -> None:
    """Draw a data set with COCO's layout: ``annotations/``, ``train2017/`` and ``val2017/``.

    The folder appears whole or not at all. Of several processes that draw the same folder at the
    same time, the first to finish wins and the others discard theirs.

    Args:
        root: The folder to make; it may exist only if it is empty.
        num_train: Number of training images, at least 1.
        num_val: Number of validation images, at least 1.
        seed: Not negative. Each image depends on the seed, its split and its index alone, so the
            files are the same bytes whatever the number of workers.
        num_workers: Number of processes; by default one for each core this process may use.

    Raises:
        FileExistsError: ``root`` is a file, or a folder with something in it.
        ValueError: A number is out of its range.
    """
    root = Path(root).resolve()
    num_workers = num_workers or _num_cores()
    if min(num_train, num_val) < 1 or seed < 0:
        raise ValueError('num_train and num_val must be at least 1, and seed at least 0')
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise FileExistsError(f'{root} exists already and is not an empty folder')
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{root.name}-', dir=root.parent) as scratch:
        whole = Path(scratch) / root.name
        (whole / 'annotations').mkdir(parents=True)
        with Pool(num_workers, initializer=cv2.setNumThreads, initargs=(0,)) as pool:
            _draw_split(pool, whole, 'train2017', num_train, seed=(seed, 0))
            _draw_split(pool, whole, 'val2017', num_val, seed=(seed, 1))
        try:
            whole.rename(root)
        except OSError:
            if not (root / 'annotations').is_dir():
                raise


def _draw_split(pool: Pool, root: Path, split: str, num_images: int, seed: tuple[int, int]) -> None:
    (root / split).mkdir()
    write = partial(_write_image, folder=root / split, seed=seed)
    images, annotations = [], []
    for image, objects in pool.imap(write, range(num_images), chunksize=8):
        images.append(image)
        for fields in objects:
            # COCO's evaluation takes an id of 0 for "no match", so ids start from 1.
            ids = {'id': len(annotations) + 1, 'image_id': image['id']}
            annotations.append(ids | fields)
        if len(images) % -(-num_images // 10) == 0 or len(images) == num_images:
            print(f'{split}: drew {len(images)} of {num_images} images', flush=True)
    content = {
        'info': {'description': f'Shapes, {split}', 'seed': seed[0]},
        'licenses': [],
        'images': images,
        'annotations': annotations,
        'categories': [
            {'id': label + 1, 'name': name, 'supercategory': 'shape'}
            for label, name in enumerate(CLASSES)
        ],
    }
    annotation_file = root / 'annotations' / f'instances_{split}.json'
    annotation_file.write_text(json.dumps(content, separators=(',', ':')))


def _write_image(index: int, folder: Path, seed: tuple[int, int]) -> tuple[dict, list[dict]]:
    """Draw and save one image; return its COCO record and its annotations, short of their ids."""
    image, labels, masks = draw_image(np.random.default_rng([*seed, index]))
    height, width = image.shape[:2]
    name = f'{index + 1:012d}.jpg'
    if not cv2.imwrite(str(folder / name), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
        raise OSError(f'cannot write {folder / name}')
    record = {'id': index + 1, 'file_name': name, 'height': height, 'width': width}
    return record, [_annotate(mask, label) for mask, label in zip(masks, labels, strict=True)]


def _num_cores() -> int:
    """The cores this process may use, which in a container are often fewer than there are."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def main(arguments: list[str] | None = None) -> int:
    """Draw a data set from the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        description='Draw the shapes data set in the format and folder layout of COCO 2017.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('root', help='folder to make, such as data/shapes')
    parser.add_argument('--num-train', type=int, default=2700, help='number of training images')
    parser.add_argument('--num-val', type=int, default=300, help='number of validation images')
    parser.add_argument('--seed', type=int, default=0, help='another seed draws other images')
    options = parser.parse_args(arguments)
    try:
        draw_dataset(**vars(options))
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(f'The data set is in {options.root}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
