"""Time and peak memory of each op, as its compiled kernel and as its reference in PyTorch.

python tools/analysis_tools/benchmark_ops.py [--devices cpu cuda] [--ops matrix_nms ...]

Prints a table, then the same as one line of JSON. On a machine that others use, too, --cpu-time
with --threads 1 disturbs the times least.
"""

import argparse
import ctypes
import json
import re
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from mmdet.ops import dice_loss, group_norm_relu, masks_to_rle, matrix_nms, sigmoid_focal_loss
from mmdet.ops._extension import has_kernel
from mmdet.ops.conv3x3 import conv3x3_reference
from mmdet.ops.dice_loss import dice_loss_reference
from mmdet.ops.focal_loss import sigmoid_focal_loss_reference
from mmdet.ops.group_norm_relu import group_norm_relu_reference
from mmdet.ops.masks_to_rle import masks_to_rle_reference
from mmdet.ops.matrix_nms import matrix_nms_reference

MASK_SIZE = 200, 336  # a quarter of an input of 800 x 1333, padded
CELLS = 3872  # of the grids of all levels
# (batch, channels, height, width) of SOLO R50's towers on an input of 800 x 1333
NORMS = [(1, 256, 100, 168), (2, 256, 50, 84), (2, 256, 25, 42)]
# (channels, height, width) of SOLO R50 on an input of 800 x 1333: the pyramid's levels, stages of
# the backbone; and of a small network
CONVOLUTIONS = [
    *((256, *size) for size in ((200, 336), (100, 168), (50, 84), (25, 42))),
    *((64, 200, 336), (128, 100, 168), (512, 25, 42)),
    *((32, 40, 40), (64, 20, 20), (16, 80, 80)),
]
# Of the towers on grids, with 256 channels in SOLO's and 512 in SOLOv2's
GRIDS = 40, 36, 24, 16, 12


def conv3x3_kernel(inputs: list[Tensor], weight: Tensor, bias: Tensor) -> list[Tensor]:
    """`conv3x3_levels` without its choice, which leaves to PyTorch what the kernel is slower at."""
    return torch.ops.mmdet_solo.conv3x3(inputs, weight, bias)


def conv3x3_direct(inputs: list[Tensor], weight: Tensor, bias: Tensor) -> list[Tensor]:
    return [conv3x3_reference(input, weight, bias) for input in inputs]


IMPLEMENTATIONS = {
    'conv3x3': (conv3x3_kernel, conv3x3_direct),
    'matrix_nms': (matrix_nms, matrix_nms_reference),
    'sigmoid_focal_loss': (sigmoid_focal_loss, sigmoid_focal_loss_reference),
    'dice_loss': (dice_loss, dice_loss_reference),
    'group_norm_relu': (group_norm_relu, group_norm_relu_reference),
    'masks_to_rle': (masks_to_rle, masks_to_rle_reference),
}


@dataclass
class Result:
    """One row of the table: milliseconds, and MB beyond the arguments; none where not compiled."""

    op: str
    case: str
    device: str
    kernel_ms: float | None
    reference_ms: float
    kernel_mb: float | None
    reference_mb: float


def blobs(count: int, device: str) -> Tensor:
    """Return (count, h, w) mask logits: discs of all sizes with soft edges."""
    height, width = MASK_SIZE
    y, x = torch.rand(2, count, 1, 1, device=device)
    radius = 4 + 60 * torch.rand(count, 1, 1, device=device)
    rows = torch.arange(height, device=device)[:, None] - y * height
    columns = torch.arange(width, device=device) - x * width
    return (radius - (rows**2 + columns**2).sqrt()) / 2


def make_cases(device: str) -> list[tuple[str, str, dict]]:
    """Return (op, description, arguments) of what is measured."""
    convolutions = conv_cases() if device == 'cpu' else []
    return [*mask_cases(device), *norm_cases(device), *convolutions]


def norm_cases(device: str) -> list[tuple[str, str, dict]]:
    """Return images with channels last, as convolutions give them."""
    return [
        (
            'group_norm_relu',
            '{} x {} channels, {} x {}, and back'.format(*shape),
            dict(
                input=torch.randn(shape, device=device)
                .contiguous(memory_format=torch.channels_last)
                .requires_grad_(),
                num_groups=32,
                weight=torch.randn(shape[1], device=device, requires_grad=True),
                bias=torch.randn(shape[1], device=device, requires_grad=True),
            ),
        )
        for shape in NORMS
    ]


def conv_cases() -> list[tuple[str, str, dict]]:
    """Return convolutions of two images, and of one without gradients on grids."""
    cases = [
        conv_case(2, channels, [(height, width)], f'{height} x {width}, and back', learns=True)
        for channels, height, width in CONVOLUTIONS
    ]
    for channels in (256, 512):
        for grids in (*([grid] for grid in GRIDS), GRIDS):
            sizes = [(grid, grid) for grid in grids]
            named = f'{grids[0]} x {grids[0]}' if len(grids) == 1 else 'all grids'
            cases += [
                conv_case(1, channels, sizes, named, learns=False),
                conv_case(2, channels, sizes, f'{named}, and back', learns=True),
            ]
    return cases


def conv_case(
    batch: int, channels: int, sizes: list[tuple[int, int]], named: str, *, learns: bool
) -> tuple[str, str, dict]:
    """Return a convolution of images of some sizes, with as many outputs as inputs."""
    arguments = dict(
        inputs=[
            torch.randn(batch, channels, *size)
            .contiguous(memory_format=torch.channels_last)
            .requires_grad_(learns)
            for size in sizes
        ],
        weight=torch.randn(channels, channels, 3, 3, requires_grad=learns),
        bias=torch.randn(channels, requires_grad=learns),
    )
    return 'conv3x3', f'{batch} x {channels} channels, {named}', arguments


def mask_cases(device: str) -> list[tuple[str, str, dict]]:
    masks = blobs(500, device)
    scores = torch.rand(500, device=device).sort(descending=True).values
    size = '{} x {}'.format(*MASK_SIZE)
    cases: list[tuple[str, str, dict]] = [
        (
            'matrix_nms',
            f'500 masks of {size}, classes: {classes}',
            dict(masks=masks > 0, labels=torch.arange(500, device=device) % classes, scores=scores),
        )
        for classes in (1, 80)
    ]
    cells = 8 * CELLS
    logits = torch.randn(cells, 80, device=device, requires_grad=True)
    labels = torch.randint(81, (cells,), device=device)
    cases.append(
        ('sigmoid_focal_loss', f'{cells} x 80, and back', dict(logits=logits, labels=labels))
    )
    predictions = masks[:200].clone().requires_grad_()
    targets = (blobs(200, device) > 0).byte()
    cases.append(
        (
            'dice_loss',
            f'200 masks of {size}, and back',
            dict(predictions=predictions, targets=targets),
        )
    )
    shapes = dict(img_shape=(800, 1333), ori_shape=(3000, 4000), threshold=0.5)
    cases.append(
        (
            'masks_to_rle',
            '100 masks, image of 4000 x 3000',
            dict(probabilities=masks[:100].sigmoid(), **shapes),
        )
    )
    return cases


def call(op: Callable, arguments: dict) -> None:
    """Run an op, and its backward pass for the arguments that have a gradient."""
    results = tensors_in([op(**arguments)])
    if results and results[0].requires_grad:
        leaves = [each for each in tensors_in(arguments.values()) if each.requires_grad]
        torch.autograd.grad(results, leaves, [result.detach() for result in results])


def tensors_in(values: Iterable[object]) -> list[Tensor]:
    """Return the tensors among some values, and those in the lists among them."""
    flat = [each for value in values for each in (value if isinstance(value, list) else [value])]
    return [each for each in flat if isinstance(each, Tensor)]


def measure_ms(
    run: Callable[[], None], device: str, seconds: float, clock: Callable[[], float]
) -> float:
    """Return the median time of the calls that begin within some seconds."""
    run()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        if device == 'cuda':
            torch.cuda.synchronize()
        start = clock()
        run()
        if device == 'cuda':
            torch.cuda.synchronize()
        times.append(1000 * (clock() - start))
    return statistics.median(times)


def measure_mb(run: Callable[[], None], device: str) -> float:
    """Return how much more memory than before a call takes at its peak."""
    if device == 'cuda':
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    ctypes.CDLL('libc.so.6').malloc_trim(0)
    Path('/proc/self/clear_refs').write_text('5')  # the peak is now what is in use
    before = resident_mb('VmRSS')
    run()
    return resident_mb('VmHWM') - before


def resident_mb(field: str) -> float:
    status = Path('/proc/self/status').read_text()
    found = re.search(rf'{field}:\s+(\d+) kB', status)
    assert found is not None  # Linux has all of them
    return int(found[1]) * 1024 / 1e6


def measure(
    op: str,
    case: str,
    device: str,
    arguments: dict,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> Result:
    kernel, reference = IMPLEMENTATIONS[op]
    run_kernel = partial(call, kernel, arguments)
    run_reference = partial(call, reference, arguments)
    is_compiled = has_kernel(op, torch.empty(0, device=device))
    return Result(
        op=op,
        case=case,
        device=device,
        kernel_ms=measure_ms(run_kernel, device, seconds, clock) if is_compiled else None,
        reference_ms=measure_ms(run_reference, device, seconds, clock),
        kernel_mb=measure_mb(run_kernel, device) if is_compiled else None,
        reference_mb=measure_mb(run_reference, device),
    )


def print_row(*cells: str) -> None:
    print('{:19} {:38} {:6} {:>10} {:>10} {:>7} {:>10} {:>10}'.format(*cells), flush=True)


def _cell(value: float | None, digits: str, unit: str) -> str:
    return '-' if value is None else f'{value:{digits}} {unit}'


def main() -> None:
    parser = argparse.ArgumentParser(description='Compare the compiled ops with their references')
    available = ['cpu', 'cuda'] if torch.cuda.is_available() else ['cpu']
    parser.add_argument('--devices', nargs='+', choices=available, default=available)
    parser.add_argument('--ops', nargs='+', choices=IMPLEMENTATIONS, default=IMPLEMENTATIONS)
    parser.add_argument('--threads', type=int, help='of the CPU; by default what PyTorch takes')
    parser.add_argument('--seconds', type=float, default=2, help='how long each is measured')
    parser.add_argument('--cpu-time', action='store_true', help='of all threads, not what passed')
    args = parser.parse_args()
    if args.cpu_time and 'cuda' in args.devices:
        parser.error('--cpu-time is for --devices cpu')
    clock = time.process_time if args.cpu_time else time.perf_counter
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)

    print_row('op', 'case', 'device', 'kernel', 'reference', 'faster', 'kernel', 'reference')
    results = []
    for device in args.devices:
        for op, case, arguments in make_cases(device):
            if op in args.ops:
                row = measure(op, case, device, arguments, args.seconds, clock)
                results.append(row)
                faster = row.reference_ms / row.kernel_ms if row.kernel_ms else None
                print_row(
                    op,
                    case,
                    device,
                    _cell(row.kernel_ms, '.2f', 'ms'),
                    _cell(row.reference_ms, '.2f', 'ms'),
                    _cell(faster, '.1f', 'x'),
                    _cell(row.kernel_mb, '.1f', 'MB'),
                    _cell(row.reference_mb, '.1f', 'MB'),
                )
    print(json.dumps(dict(threads=torch.get_num_threads(), results=[asdict(r) for r in results])))


if __name__ == '__main__':
    main()
