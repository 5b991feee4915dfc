"""How many multiplications a network takes, by part: as published, and as it is computed here.

Counted are convolutions and matrix products, where nearly all of them are. A multiplication with
the addition of its result counts as one (MAC); as floating point operations (FLOP) they are two.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from mmdet.errors import UserError
from mmdet.models.detectors import SOLO
from mmdet.models.heads import BaseSOLOHead
from mmdet.ops.recompute import everything_kept
from mmdet.registry import MODELS
from mmdet.structures import BitmapMasks, DetDataSample

from .flop_formulas import DIRECT, WINOGRAD, Formulas
from .published import Published
from .weights import let_masks_cover, set_candidates, without_pretrained

Stage = Literal['train', 'test']
Size = tuple[int, int]
Counts = dict[str, int]

MASKS = 'masks of cells'
FORWARD = 'all, forward'
BACKWARD = 'all, backward'


def build(model: dict) -> SOLO:
    """Build a model with the weights that PyTorch's layers have at first.

    They are the same at each call: where the candidates of a test lie, and so at which levels masks
    are drawn, follows from them.

    Args:
        model: its config.

    Raises:
        UserError: it is no SOLO.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        detector = MODELS.build(without_pretrained(model))
    if not isinstance(detector, SOLO):
        raise UserError(f'only a SOLO is known by its parts, no {type(detector).__name__}')
    return detector


def parameters_by_part(detector: SOLO) -> Counts:
    """Return how many parameters each part has, and as `FORWARD` how many there are in all."""
    parts = [*_parts(detector), (FORWARD, detector)]
    return {name: sum(each.numel() for each in part.parameters()) for name, part in parts}


def count_published(detector: SOLO, size: Size, stage: Stage) -> Counts:
    """Count what a network takes for an image as it was published, see `published.py`.

    Nothing is computed, and each convolution counts as if it were computed directly.

    Args:
        detector: which network.
        size: (height, width) of the image, padded.
        stage: in `train` the backward pass is counted beside the forward one.

    Returns:
        By part; `FORWARD` of all, and `BACKWARD` in training.
    """
    network = Published(detector).train(stage == 'train')
    counter = _counter(DIRECT)
    with FakeTensorMode(allow_non_fake_inputs=True):
        with counter, everything_kept():
            outputs = network(torch.empty(1, 3, *size))
        counts = _by_part(detector, counter, f'{Published.__name__}.detector')
        if stage == 'train':
            with counter:
                _differentiate(detector, [each.sum() for each in outputs])
            counts[BACKWARD] = _all(counter)
    return counts


def count_here(
    detector: SOLO, size: Size, stage: Stage, *, candidates: int
) -> tuple[Counts, Counts]:
    """Count what this project computes for an image, which has an instance for each level.

    It is computed. The masks are those of the cells that learn an instance or, in a test, of the
    candidates.

    Args:
        detector: which network; for a test its biases are changed.
        size: (height, width) of the image, padded.
        stage: in `train` the backward pass is counted beside the forward one.
        candidates: how many there are in a test.

    Returns:
        As `count_published` does, twice. First each convolution counts as if it were computed
        directly. Then one by Winograd's algorithm counts as what the products of its transformed
        tiles take, a quarter or somewhat more; not its transformations, which are additions and
        multiplications by constants.
    """
    inputs = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    detector.train(stage == 'train')
    if stage == 'test':
        let_masks_cover(detector.mask_head)
        set_candidates(detector, inputs, candidates)
    direct, multiplied = _counter(DIRECT), _counter(WINOGRAD)
    with direct, multiplied, torch.set_grad_enabled(stage == 'train'):
        mode = 'loss' if stage == 'train' else 'predict'
        losses = detector(inputs, [sample_of_levels(detector.mask_head, size)], mode=mode)
    counts = [_by_part(detector, each, type(detector).__name__) for each in (direct, multiplied)]
    if stage == 'train':
        assert isinstance(losses, dict)
        with direct, multiplied:
            _differentiate(detector, list(losses.values()))
        for count, counter in zip(counts, (direct, multiplied), strict=True):
            count[BACKWARD] = _all(counter)
    return counts[0], counts[1]


def _differentiate(detector: SOLO, losses: list[Tensor]) -> None:
    trained = [each for each in detector.parameters() if each.requires_grad]
    torch.autograd.grad(torch.stack(losses).sum(), trained, allow_unused=True)


def _parts(detector: SOLO) -> Iterator[tuple[str, nn.Module]]:
    """Yield the parts that are told apart, by their names: of the head each of its own."""
    yield 'backbone', detector.backbone
    yield 'neck', detector.neck
    for name, part in detector.mask_head.named_children():
        if any(True for _ in part.parameters()):
            yield f'mask_head.{name}', part


def _by_part(detector: SOLO, counter: FlopCounterMode, root: str) -> Counts:
    every = counter.get_flop_counts()
    counts = {name: _below(f'{root}.{name}', every) // 2 for name, _ in _parts(detector)}
    # They are products with rows of a layer's weight, outside of any layer.
    counts[MASKS] = _all(counter) - sum(counts.values())
    return counts | {FORWARD: _all(counter)}


def _below(name: str, every: dict[str, dict]) -> int:
    """Return the count of a module or, if it was never called itself, of those in it."""
    if name in every:
        return sum(every[name].values())
    inside = {each.split('.')[name.count('.') + 1] for each in every if each.startswith(f'{name}.')}
    return sum(_below(f'{name}.{each}', every) for each in inside)


def _all(counter: FlopCounterMode) -> int:
    return counter.get_total_flops() // 2


def sample_of_levels(head: BaseSOLOHead, size: Size) -> DetDataSample:
    """Return what an image of a (height, width) is annotated with: a square for each level."""
    masks = np.zeros((len(head.scale_ranges), *size), np.uint8)
    boxes = []
    for mask, (least, most) in zip(masks, head.scale_ranges, strict=True):
        side = min(round((least * most) ** 0.5), *size)
        top, left = ((length - side) // 2 for length in size)
        mask[top : top + side, left : left + side] = 1
        boxes.append([left, top, left + side, top + side])
    shapes = dict(img_shape=size, ori_shape=size, batch_input_shape=size)
    sample = DetDataSample(metainfo=dict(shapes, img_id=0))
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32),
        labels=torch.zeros(len(boxes), dtype=torch.long),
        masks=BitmapMasks(masks, *size).pack(),
    )
    return sample


def _counter(formulas: Formulas) -> FlopCounterMode:
    return FlopCounterMode(display=False, custom_mapping=formulas)
