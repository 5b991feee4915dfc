"""What COCO's figures of many images take: time, and memory beyond what the program has anyway.

python tools/analysis_tools/measure_large_evaluation.py FOLDER [--images 100000] [--detections 30]

writes an annotation file of 7 polygons an image to FOLDER, if it is not there, and evaluates
detections that are made as they are needed, each with a mask of its own: with the file, and with
what there is to find in the samples. Each case is a process; memory is its resident set.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from pycocotools import mask as coco_mask

from mmdet.cli.program import run
from mmdet.evaluation import CocoMetric
from mmdet.structures import RLEMasks

HEIGHT, WIDTH = 480, 640
OBJECTS = 7  # in an image
_OUTLINES = 2100
_BATCH = 16


def outlines() -> list[list[float]]:
    """Return polygons of 24 points; of three in turn each overlaps with the others."""
    rng = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    every: list[list[float]] = []
    for _ in range(_OUTLINES // 3):
        centre = rng.uniform([0.2 * WIDTH, 0.2 * HEIGHT], [0.8 * WIDTH, 0.8 * HEIGHT])
        size = rng.uniform(8, 110)
        for _ in range(3):
            points = centre + size * (circle + rng.uniform(-0.15, 0.15, (24, 2)))
            every.append(points.round(2).ravel().tolist())
    return every


def objects_of(index: int, classes: int) -> tuple[list[int], list[int]]:
    """Return which outlines the objects of an image have, and their labels."""
    rng = np.random.default_rng([1, index])
    return rng.integers(_OUTLINES, size=OBJECTS).tolist(), _labels(rng, OBJECTS, classes)


def _labels(rng: np.random.Generator, number: int, classes: int) -> list[int]:
    """Draw labels, of which the first is the most frequent, as people are in COCO."""
    return (classes * rng.random(number) ** 2).astype(int).tolist()


def write_file(path: Path, images: int, classes: int) -> None:
    """Write COCO's annotation file, object by object."""
    every = outlines()
    rles = [coco_mask.frPyObjects([each], HEIGHT, WIDTH)[0] for each in every]
    areas = [int(coco_mask.area(rle)) for rle in rles]
    boxes = [coco_mask.toBbox(rle).tolist() for rle in rles]
    categories = [dict(id=label + 1, name=str(label)) for label in range(classes)]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix('.part')
    with part.open('w') as file:
        file.write(f'{{"categories": {json.dumps(categories)}, "images": ')
        sizes = (dict(file_name='a.jpg', height=HEIGHT, width=WIDTH) for _ in range(images))
        entries = (dict(id=index, **size) for index, size in enumerate(sizes))
        _write_list(file, entries)
        file.write(', "annotations": ')
        found = (
            (index, number, outline, label)
            for index in range(images)
            for number, (outline, label) in enumerate(zip(*objects_of(index, classes), strict=True))
        )
        annotations = (
            dict(
                id=index * OBJECTS + number + 1,
                image_id=index,
                category_id=label + 1,
                iscrowd=0,
                area=areas[outline],
                bbox=boxes[outline],
                segmentation=[every[outline]],
            )
            for index, number, outline, label in found
        )
        _write_list(file, annotations)
        file.write('}')
    part.rename(path)


def _write_list(file: TextIO, entries: Iterator[dict]) -> None:
    for number, entry in enumerate(entries):
        file.write(('[' if number == 0 else ', ') + json.dumps(entry))
    file.write(']')


def samples(images: int, detections: int, classes: int, *, with_truth: bool) -> Iterator[dict]:
    """Yield what a detector finds, half of it near an object, as it hands it over."""
    every = outlines()
    rles = [coco_mask.frPyObjects([each], HEIGHT, WIDTH)[0] for each in every]
    boxes = [coco_mask.toBbox(rle).tolist() for rle in rles]
    for index in range(images):
        rng = np.random.default_rng([2, index])
        own, labels = objects_of(index, classes)
        chosen = rng.integers(_OUTLINES, size=detections)
        near = rng.random(detections) < 0.5
        whose = rng.integers(OBJECTS, size=detections)
        shifted = np.array(own)[whose] // 3 * 3 + rng.integers(3, size=detections)
        names = np.where(near, np.array(labels)[whose], _labels(rng, detections, classes))
        masks = [
            dict(size=[HEIGHT, WIDTH], counts=bytes(bytearray(rles[each]['counts'])))
            for each in np.where(near, shifted, chosen)
        ]
        found = dict(
            scores=torch.from_numpy(np.sort(rng.random(detections, np.float32))[::-1].copy()),
            labels=torch.from_numpy(names),
            masks=RLEMasks(masks, HEIGHT, WIDTH),
        )
        sample: dict[str, Any] = dict(img_id=index, ori_shape=(HEIGHT, WIDTH), pred_instances=found)
        if with_truth:
            sample['instances'] = [
                dict(
                    bbox=[x, y, x + width, y + height],
                    bbox_label=label,
                    mask=[every[outline]],
                    ignore_flag=0,
                )
                for outline, label in zip(own, labels, strict=True)
                for x, y, width, height in [boxes[outline]]
            ]
        yield sample


def memory(field: str = 'VmRSS') -> float:
    """Return the resident set of this process in MB, or with `VmHWM` the largest that it was."""
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1e3


def forget_peak() -> None:
    """Let `VmHWM` begin anew."""
    Path('/proc/self/clear_refs').write_text('5')


def probe(
    ann_file: str, images: int, detections: int, classes: int, result_file: str | None
) -> dict[str, float]:
    """Evaluate, and return what it took, and the figure itself."""
    metric = CocoMetric(ann_file or None, result_file=result_file)
    metric.dataset_meta = dict(classes=[str(label) for label in range(classes)])
    source = samples(images, detections, classes, with_truth=not ann_file)
    batch = [next(source)]
    before = memory()
    started = time.process_time()
    metric.prepare()
    took = dict(prepare_s=time.process_time() - started, prepare_peak_mb=memory('VmHWM') - before)
    took['truth_mb'] = memory() - before
    forget_peak()
    spent, left = 0.0, images
    while batch:
        started = time.process_time()
        metric.process({}, batch)
        spent += time.process_time() - started
        left -= len(batch)
        batch = [next(source) for _ in range(min(_BATCH, left))]
    took |= dict(image_ms=spent / images * 1e3, kept_mb=memory() - before)
    started = time.process_time()
    figures = metric.evaluate(images)
    took |= dict(figures_s=time.process_time() - started, peak_mb=memory('VmHWM') - before)
    return took | dict(mAP=figures['coco/segm_mAP'])


def main(argv: Sequence[str] | None = None) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, help='that the annotation file is written to')
    parser.add_argument('--images', type=int, default=100_000)
    parser.add_argument('--detections', type=int, nargs='+', default=[30, 100])
    parser.add_argument('--classes', type=int, default=80)
    parser.add_argument('--out', action='store_true', help='write the detections, too')
    parser.add_argument(
        '--truth', nargs='+', choices=['file', 'samples'], default=['file', 'samples']
    )
    parser.add_argument('--probe', help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    path = args.folder / f'{args.images}-{args.classes}.json'
    if args.probe is not None:
        out = str(args.folder / 'detections.json') if args.out else None
        print(json.dumps(probe(args.probe, args.images, args.detections[0], args.classes, out)))
        return
    if not path.exists() and 'file' in args.truth:
        write_file(path, args.images, args.classes)
    head = 'detections', 'truth', 'before, s', 'an image, ms', 'figures, s', 'AP'
    print(f'| {" | ".join((*head, "file, MB", "kept, MB", "peak, MB"))} |')
    print('| --- ' * 9 + '|')
    for number in args.detections:
        for truth in args.truth:
            command = [sys.executable, __file__, str(args.folder), '--images', str(args.images)]
            command += ['--detections', str(number), '--classes', str(args.classes)]
            command += ['--out'] * args.out
            command += ['--probe', str(path) if truth == 'file' else '']
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            took = json.loads(done.stdout.splitlines()[-1])
            print(
                f'| {number} | {truth} | {took["prepare_s"]:.1f} | {took["image_ms"]:.2f} '
                f'| {took["figures_s"]:.1f} | {took["mAP"]:.6f} | {took["prepare_peak_mb"]:,.0f} '
                f'| {took["kept_mb"]:,.0f} | {took["peak_mb"]:,.0f} |',
                flush=True,
            )


if __name__ == '__main__':
    torch.set_num_threads(1)
    run(main)
