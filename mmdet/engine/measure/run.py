"""A training or a test, begun as the tools begin it and ended when enough of it is measured."""

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import torch
from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner, TestLoop
from torch.utils.data import DataLoader

from mmdet.engine.checkpoint import check_fit
from mmdet.engine.launch import build_runner
from mmdet.engine.optim_wrapper import mixed_precision_of
from mmdet.engine.preflight import check_files
from mmdet.engine.wrapper import device_of

from .machine import machine_of, peak_memory
from .parts import FIGURES, detector_of
from .steps import EnoughError, MeasuringHook, Steps
from .weights import let_masks_cover, set_candidates, without_pretrained

_OTHER_STAGES = ('dataloader', 'cfg', 'evaluator')


def measure_training(
    cfg: Config, *, steps: int, warmup: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, object]:
    """Measure steps of a config's training.

    Its weights are random, unless `load_from` names others. Nothing is written, and it is validated
    at no time.

    Args:
        cfg: checked; it is changed.
        steps: that are measured, at most.
        warmup: steps before these.
        clock: gives the time, in seconds.

    Returns:
        What is in `summary`; `compiled`, how backbone and neck were, or False; the `machine`;
        `weights`, `random` or a file's name; `mixed_precision`, the type beside float32 or None;
        `peak_memory` in bytes.
    """
    for stage in ('val', 'test'):
        cfg.update({f'{stage}_{key}': None for key in _OTHER_STAGES})
    with runner_of(cfg, 'train') as runner:
        hook = MeasuringHook(warmup=warmup, steps=steps, clock=clock)
        runner.register_hook(hook)
        with closing(hook), suppress(EnoughError):
            runner.train()
        dtype = mixed_precision_of(runner.optim_wrapper, device_of(runner.model))
        compiled = dict(compiled=cfg.get('compile') or False)
        return summary(hook.measured) | compiled | _conditions(runner, dtype)


def measure_test(
    cfg: Config,
    *,
    steps: int,
    warmup: int,
    candidates: int | None,
    evaluates: bool,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, object]:
    """Measure steps of a config's test, of a batch each; see `measure_training`.

    Args:
        cfg: checked; it is changed.
        steps: that are measured, at most.
        warmup: steps before these.
        candidates: as many are found in an image, about; None for those that the weights find.
        evaluates: compute the figures, too, of what was found.
        clock: gives the time, in seconds.

    Returns:
        What `measure_training` does, but `candidates` for `compiled`. With `evaluates` also
        `figures`, the seconds that these took, and `matched_images`, of how many images.
    """
    with runner_of(cfg, 'test') as runner:
        if not cfg.get('load_from'):
            detector = detector_of(runner)
            detector.init_weights()
            let_masks_cover(detector.mask_head)
        if candidates is not None:
            runner.register_hook(_CandidatesHook(candidates))
        hook = MeasuringHook(warmup=warmup, steps=steps, clock=clock)
        runner.register_hook(hook)
        found: dict[str, object] = dict(candidates=candidates)
        with closing(hook):
            with suppress(EnoughError):
                runner.test()
            if evaluates:
                found |= _match(runner, hook)
        fp16 = getattr(runner.test_loop, 'fp16', False)  # a user's own loop may have none
        dtype = torch.get_autocast_dtype(device_of(runner.model).type) if fp16 else None
        return summary(hook.measured) | found | _conditions(runner, dtype)


def summary(measured: Steps) -> dict[str, object]:
    """Return what the steps took.

    Returns:
        `images` of a batch; their padded `size`, (height, width), which most batches had, and how
        many `sizes` there were; `instances` of a batch; the number of `steps`, and of
        `steps_left_out` as something was not finite; `seconds` of a step; `images_a_second` of
        all processes; the seconds of `parts`; how often a step `waits`, by place. Times and
        instances are medians.
    """
    images, *size = Counter(measured.sizes).most_common(1)[0][0]
    seconds = statistics.median(measured.whole)
    names = dict.fromkeys(name for step in measured.split for name in step)
    return dict(
        images=images,
        size=size,
        sizes=len(set(measured.sizes)),
        instances=statistics.median(measured.instances),
        steps=len(measured.whole),
        steps_left_out=measured.left_out,
        seconds=seconds,
        images_a_second=images * get_world_size() / seconds,
        parts={
            name: statistics.median(step.get(name, 0.0) for step in measured.split)
            for name in names
        },
        waits=dict(measured.waits),
    )


@contextmanager
def runner_of(cfg: Config, stage: str) -> Iterator[Runner]:
    """Build the runner of a stage, which leaves nothing and says nothing but warnings."""
    cfg.resume = False
    if not cfg.get('load_from'):
        cfg.model = without_pretrained(cfg.model.to_dict())
    with tempfile.TemporaryDirectory() as folder:
        cfg.work_dir = cfg.experiment_name = folder
        cfg.log_level = 'WARNING'
        cfg.visualizer = None  # it may send what it is given to other machines
        hooks = cfg.get('default_hooks') or {}
        cfg.default_hooks = {**hooks, 'checkpoint': None}
        check_files(cfg, (stage,))
        runner = build_runner(cfg)
        if cfg.get('load_from'):
            check_fit(runner.model, cfg.load_from)
        yield runner


class _CandidatesHook(Hook):
    """Sets how many candidates the first image of a test has."""

    # After averages of weights have taken the place of the weights.
    priority = 'LOWEST'

    def __init__(self, candidates: int) -> None:
        self._candidates = candidates

    def before_test_epoch(self, runner: Runner) -> None:
        detector, loader = detector_of(runner), runner.test_dataloader
        assert isinstance(loader, DataLoader)
        detector.eval()
        batch = detector.data_preprocessor(next(iter(loader)), False)
        set_candidates(detector, batch['inputs'], self._candidates)


def _match(runner: Runner, hook: MeasuringHook) -> dict[str, object]:
    """Compute the figures of what a measured test has found, and say how long it took."""
    stopwatch, loop = hook.stopwatch, runner.test_loop
    assert stopwatch is not None and isinstance(loop, TestLoop)
    stopwatch.splits = True
    images = hook.images * get_world_size()
    loop.evaluator.evaluate(images)
    return dict(figures=stopwatch.lap()[FIGURES], matched_images=images)


def _conditions(runner: Runner, dtype: torch.dtype | None) -> dict[str, object]:
    device = device_of(runner.model)
    return dict(
        weights=runner.cfg.get('load_from') or 'random',
        mixed_precision=str(dtype).removeprefix('torch.') if dtype else None,
        peak_memory=peak_memory(device),
        machine=machine_of(device),
    )
