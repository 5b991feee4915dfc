"""Time and memory of exported files beside PyTorch, on this machine's CPU.

python tools/deployment/benchmark.py CHECKPOINT FILE... [--config CONFIG] [--image IMAGE] [--runs N]

Each is asked in turn, so that what else the machine does is shared by all; the memory is the
largest resident size of a process that does nothing else, less that of one that only imports.
"""

import argparse
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch

from mmdet.apis import infer, inference_pipeline, load_detector
from mmdet.cli.program import run
from mmdet.datasets.image_file import read_image
from mmdet.models.detectors import SOLO

PYTORCH, COMPILED = 'PyTorch', 'torch.compile'


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint')
    parser.add_argument('files', nargs='+', help='exported files')
    parser.add_argument('--config', help='what the checkpoint was trained with')
    parser.add_argument('--image', help='by default noise of 480 x 640')
    parser.add_argument('--runs', type=int, default=10)
    args = parser.parse_args()
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    image = read_image(args.image) if args.image else image
    kinds = [PYTORCH, COMPILED, *args.files]
    # One process for each, which may have children of its own: torch.compile has.
    spawn = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as pool:
        tasks = [
            pool.submit(_peak, kind, args.checkpoint, args.config, image) for kind in (None, *kinds)
        ]
        idle, *peaks = [task.result() for task in tasks]
    calls = [_call(kind, args.checkpoint, args.config, image) for kind in kinds]
    times: list[list[float]] = [[] for _ in kinds]
    for round_ in range(args.runs + 1):
        for call, measured in zip(calls, times, strict=True):
            start = time.perf_counter()
            found = call()
            if round_:  # the first warms up
                measured.append(time.perf_counter() - start)
            else:
                print(f'{found} instances')
    medians = [statistics.median(each) for each in times]
    print(f'{torch.get_num_threads()} threads, {args.runs} runs each, medians\n')
    print('| | ms | of PyTorch | MB |\n| --- | --- | --- | --- |')
    for kind, median, peak in zip(kinds, medians, peaks, strict=True):
        ratio = median / medians[0]
        print(f'| {Path(kind).name} | {median * 1000:.0f} | {ratio:.2f} | {peak - idle:.0f} |')


def _call(kind: str, checkpoint: str, config: str | None, image: np.ndarray) -> Callable[[], int]:
    """Return a function that finds the instances in the image and returns their number."""
    if kind in (PYTORCH, COMPILED):
        model = load_detector(checkpoint, config, device='cpu')
        if kind == COMPILED:
            assert isinstance(model, SOLO)
            model.extract_feat = torch.compile(model.extract_feat)
            model.mask_head.forward = torch.compile(model.mask_head.forward)
    else:
        model = load_detector(kind)
    pipeline = inference_pipeline(model.cfg)
    return lambda: len(infer(model, [image], pipeline)[0].pred_instances)


def _peak(kind: str | None, checkpoint: str, config: str | None, image: np.ndarray) -> float:
    """Return the largest resident size of this process in MB once it has found the instances."""
    if kind is not None:
        call = _call(kind, checkpoint, config, image)
        call(), call()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == '__main__':
    run(main)
