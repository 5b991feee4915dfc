"""Shapes: a drawn instance-segmentation data set in COCO's format and folder layout.

It stands in for COCO where COCO is not at hand: every image, mask and label is drawn from a seed
with NumPy and OpenCV, by `shapes_image.py`.

Draw it with `python -m mmdet.datasets.shapes ROOT`.
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

from mmdet.structures.segmentation import decode_segmentation, encode_mask

from .shapes_image import CLASSES, MAX_OBJECTS, SIZE_RANGE, draw_image

JPEG_QUALITY = 92

_Draw = Callable[[np.random.Generator], tuple[np.ndarray, list[int], np.ndarray]]


def draw_dataset(
    root: str | os.PathLike,
    num_train: int = 2700,
    num_val: int = 300,
    seed: int = 0,
    num_workers: int | None = None,
    max_objects: int = MAX_OBJECTS,
    sizes: tuple[float, float] = SIZE_RANGE,
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
        max_objects: At most so many objects in an image, 1 to 255.
        sizes: The smallest and largest object, ``sqrt(width * height)`` of its box in pixels, from
            1 on.

    Raises:
        FileExistsError: ``root`` is a file, or a folder with something in it.
        ValueError: A number is out of its range.
    """
    root = Path(root).resolve()
    num_workers = num_workers or _num_cores()
    if min(num_train, num_val) < 1 or seed < 0:
        raise ValueError('num_train and num_val must be at least 1, and seed at least 0')
    if not 1 <= max_objects <= 255 or not 1 <= sizes[0] <= sizes[1]:
        raise ValueError(
            'max_objects must be from 1 to 255, and sizes from 1 on, the smaller first'
        )
    draw = partial(draw_image, max_objects=max_objects, object_sizes=tuple(sizes))
    if not is_free(root):
        raise FileExistsError(f'{root} exists already and is not an empty folder')
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{root.name}-', dir=root.parent) as scratch:
        whole = Path(scratch) / root.name
        (whole / 'annotations').mkdir(parents=True)
        with Pool(num_workers, initializer=cv2.setNumThreads, initargs=(0,)) as pool:
            _draw_split(pool, whole, 'train2017', num_train, seed=(seed, 0), draw=draw)
            _draw_split(pool, whole, 'val2017', num_val, seed=(seed, 1), draw=draw)
        try:
            whole.rename(root)
        except OSError:
            if not (root / 'annotations').is_dir():
                raise


def is_free(root: Path) -> bool:
    """Say whether a data set may be drawn here: nothing is, or an empty folder."""
    return not root.exists() or (root.is_dir() and not any(root.iterdir()))


def _draw_split(
    pool: Pool,
    root: Path,
    split: str,
    num_images: int,
    *,
    seed: tuple[int, int],
    draw: _Draw,
) -> None:
    (root / split).mkdir()
    write = partial(_write_image, folder=root / split, seed=seed, draw=draw)
    images: list[dict] = []
    annotations: list[dict] = []
    for image, objects in pool.imap(write, range(num_images), chunksize=8):
        images.append(image)
        for fields in objects:
            # COCO's evaluation takes an id of 0 for "no match", so ids start from 1.
            ids = {'id': len(annotations) + 1, 'image_id': image['id']}
            annotations.append(ids | fields)
        if len(images) % -(-num_images // 10) == 0 or len(images) == num_images:
            print(f'{split}: drew {len(images)} of {num_images} images', flush=True)
    content: dict[str, object] = {
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


def _write_image(
    index: int,
    *,
    folder: Path,
    seed: tuple[int, int],
    draw: _Draw,
) -> tuple[dict, list[dict]]:
    """Draw and save one image; return its COCO record and its annotations, short of their ids."""
    image, labels, masks = draw(np.random.default_rng([*seed, index]))
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
    parser.add_argument(
        '--max-objects', type=int, default=MAX_OBJECTS, help='at most so many objects in an image'
    )
    parser.add_argument(
        '--sizes',
        type=float,
        nargs=2,
        default=SIZE_RANGE,
        metavar=('MIN', 'MAX'),
        help='of objects, sqrt(width * height) of the box in pixels',
    )
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
