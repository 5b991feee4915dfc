"""What a data set of many images takes: the time to open it, memory, and the time to read an image.

python tools/analysis_tools/measure_large_data.py FOLDER [--kind parquet] [--images 1000000]

makes the set in FOLDER, if it is not there, of a few pictures that many images name, and opens it
as a training does, in one process and in two, with 0, 2 and 8 workers each. Memory is the sum of
the shares (PSS) of all processes, after each worker has read images in random order.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask
from torch.utils.data import DataLoader

from mmdet.cli.program import run
from mmdet.datasets import CocoDataset
from mmdet.datasets.image_file import read_image
from mmdet.datasets.shapes_image import draw_image
from mmdet.registry import DATASETS
from mmdet.structures.segmentation import json_rle

# As COCO and SA-1B have on average: (height, width) of the pictures, and objects in each
SIZES = dict(parquet=(480, 640), coco=(480, 640), sa1b=(1500, 2250))
OBJECTS = dict(parquet=7, coco=7, sa1b=100)
PICTURES = 32  # a file has at most 65,000 names
_READS = 500  # images by each process
_FOLDER = 10_000  # images of SA-1B's in a folder
_CATEGORIES = [dict(id=1, name='object')]


def make_set(kind: str, root: Path, number: int) -> dict:
    """Make a data set that is not there yet, and return its config without a pipeline."""
    pictures = [_picture(root / 'images', index, SIZES[kind]) for index in range(PICTURES)]
    entries = (_entry(kind, index, pictures[index % PICTURES]) for index in range(number))
    if kind == 'parquet':
        if not (root / 'parquet').exists():
            from mmdet.datasets.conversion.write_parquet import write_parquet  # with an extra

            write_parquet(root / 'parquet', _CATEGORIES, entries)
        return dict(type='ParquetDataset', ann_file=str(root / 'parquet'), **_images(root))
    if kind == 'coco':
        if not (root / 'coco.json').exists():
            _write_json(root / 'coco.json', entries)
        return dict(
            type='CocoDataset',
            ann_file=str(root / 'coco.json'),
            metainfo=dict(classes=('object',)),
            **_images(root),
        )
    if not (root / 'sa1b').exists():
        _link_files(root, pictures, number)
    return dict(type='SA1BDataset', data_prefix=dict(img=str(root / 'sa1b')))


def _images(root: Path) -> dict:
    return dict(data_prefix=dict(img=str(root / 'images')))


def _picture(folder: Path, index: int, size: tuple[int, int]) -> tuple[str, list[np.ndarray]]:
    """Draw a picture; return its name, and the outlines of its objects, (24, 2) each."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(index)
    image, _, _ = draw_image(rng, size=size, max_objects=12)
    cv2.imwrite(str(folder / f'{index}.jpg'), image + rng.integers(0, 20, image.shape, np.uint8))
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    height, width = size
    outlines = [
        rng.uniform([0.2 * width, 0.2 * height], [0.8 * width, 0.8 * height])
        + rng.uniform(0.03, 0.1) * width * circle
        + rng.uniform(-0.01, 0.01, (24, 2)) * width
        for _ in range(max(OBJECTS.values()))
    ]
    return f'{index}.jpg', [outline.round(2) for outline in outlines]


def _entry(kind: str, index: int, picture: tuple[str, list[np.ndarray]]) -> tuple[dict, list[dict]]:
    name, outlines = picture
    size = SIZES[kind]
    image = dict(id=index, file_name=name, height=size[0], width=size[1])
    annotations: list[dict] = []
    for number in range(OBJECTS[kind]):
        outline = outlines[number]
        x1, y1 = outline.min(0).tolist()
        width, height = np.ptp(outline, 0).tolist()
        annotations.append(
            dict(
                id=index * OBJECTS[kind] + number + 1,
                image_id=index,
                category_id=1,
                bbox=[x1, y1, width, height],
                area=width * height,
                iscrowd=0,
                segmentation=[outline.ravel().tolist()],
            )
        )
    return image, annotations


def _write_json(path: Path, entries: Iterable[tuple[dict, list[dict]]]) -> None:
    images, annotations = zip(*entries, strict=True)
    content = dict(
        images=images, annotations=[*chain.from_iterable(annotations)], categories=_CATEGORIES
    )
    path.write_text(json.dumps(content))


def _link_files(root: Path, pictures: Sequence[tuple[str, list[np.ndarray]]], number: int) -> None:
    for index, picture in enumerate(pictures):
        image, annotations = _entry('sa1b', index, picture)
        for each in annotations:
            polygons = coco_mask.frPyObjects(each['segmentation'], *SIZES['sa1b'])
            each['segmentation'] = json_rle(polygons[0])
        content = dict(image={'image_id': index, **image}, annotations=annotations)
        (root / f'images/{index}.json').write_text(json.dumps(content))
    part = root / 'sa1b.part'
    for index in range(number):
        folder = part / f'sa_{index // _FOLDER:06}'
        if index % _FOLDER == 0:
            folder.mkdir(parents=True)
        source = root / f'images/{index % PICTURES}'
        # The picture has the name that its JSON file says.
        os.link(f'{source}.json', folder / f'sa_{index}.json')
        if index % _FOLDER < PICTURES:
            os.link(f'{source}.jpg', folder / f'{index % PICTURES}.jpg')
    part.rename(root / 'sa1b')


def probe(config: dict, workers: int) -> None:
    """Open a data set, read images, say what it took, and stay until the input ends."""
    start = time.perf_counter()
    cpu = time.process_time()
    dataset = DATASETS.build(config)
    assert isinstance(dataset, CocoDataset)
    took = dict(wall_s=time.perf_counter() - start, cpu_s=time.process_time() - cpu)
    order = np.random.default_rng(os.getpid()).permutation(len(dataset))
    started = time.process_time()
    paths = [dataset.get_data_info(index)['img_path'] for index in order[:_READS].tolist()]
    took['read_ms'] = (time.process_time() - started) / len(paths) * 1e3
    started = time.process_time()
    for path in paths:
        read_image(path)
    took['decode_ms'] = (time.process_time() - started) / len(paths) * 1e3
    loader = DataLoader(
        dataset, batch_size=None, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    batches = iter(loader)
    for _ in range(_READS * max(workers, 1)):
        next(batches)
    print(json.dumps(took), flush=True)
    sys.stdin.read()


def pss_of(pid: int) -> int:
    """Return the share of a process and of all that it started of the memory, in bytes."""
    own = Path(f'/proc/{pid}/smaps_rollup').read_text()
    share = next(int(line.split()[1]) for line in own.splitlines() if line.startswith('Pss:'))
    children = chain.from_iterable(
        Path(task).read_text().split() for task in Path(f'/proc/{pid}/task').glob('*/children')
    )
    return 1024 * share + sum(pss_of(int(each)) for each in children)


def measure(config: dict, processes: int, workers: int) -> dict[str, float]:
    """Open a data set in some processes at a time, each with some workers.

    Returns:
        What the slowest of them took, and `memory_mb`, the memory of all.
    """
    command = [sys.executable, __file__, '--probe', json.dumps(config), '--workers', str(workers)]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    started = [subprocess.Popen(command, **pipes) for _ in range(processes)]
    try:
        lines = [process.stdout.readline() for process in started if process.stdout]
        if not all(lines):
            raise RuntimeError('a process ended before it had read its images; see above')
        memory = sum(pss_of(process.pid) for process in started)
    finally:
        for process in started:
            process.communicate()
    took = [json.loads(line) for line in lines]
    return {key: max(each[key] for each in took) for key in took[0]} | dict(memory_mb=memory / 1e6)


def rows(config: dict, cases: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Yield the lines of a table of measurements.

    Args:
        config: of the data set, without a pipeline.
        cases: how many processes, and how many workers of each.
    """
    yield '| processes | workers | opened, s (CPU) | memory, MB | an item, ms | its JPEG, ms |'
    yield '| --- | --- | --- | --- | --- | --- |'
    config = config | dict(
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=[dict(type='LoadImageFromFile')],
    )
    for processes, workers in cases:
        took = measure(config, processes, workers)
        yield (
            f'| {processes} | {workers} | {took["wall_s"]:.1f} ({took["cpu_s"]:.1f}) '
            f'| {took["memory_mb"]:,.0f} | {took["read_ms"]:.2f} | {took["decode_ms"]:.2f} |'
        )


def main(argv: Sequence[str] | None = None) -> None:
    """Make a data set, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, nargs='?', help='that the set is made in')
    parser.add_argument('--kind', choices=sorted(OBJECTS), default='parquet')
    parser.add_argument('--images', type=int, default=1_000_000)
    parser.add_argument('--processes', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--workers', type=int, nargs='+', default=[0, 2, 8])
    parser.add_argument('--probe', type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.probe is not None:
        probe(args.probe, args.workers[0])
        return
    if args.folder is None:
        parser.error('name a FOLDER')
    root = args.folder / f'{args.kind}-{args.images}'
    started = time.perf_counter()
    config = make_set(args.kind, root, args.images)
    print(f'{args.images:,} images, made in {time.perf_counter() - started:.0f} s', flush=True)
    for row in rows(config, [(each, n) for each in args.processes for n in args.workers]):
        print(row, flush=True)


if __name__ == '__main__':
    run(main)
