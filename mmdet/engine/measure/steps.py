"""Steps of a training or a test, measured in mmengine's loops, which run as they always do."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain, repeat

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner.base_loop import BaseLoop
from torch.utils.data import DataLoader

from mmdet.engine.memory.batch import images_of
from mmdet.engine.sound_steps import was_left_out
from mmdet.engine.wrapper import device_of
from mmdet.errors import UserError
from mmdet.structures import DetDataSample

from .parts import LOOP, TimedLoader, detector_of, parts_of_test, parts_of_training
from .stopwatch import Stopwatch
from .waits import Waits, counting_waits


class EnoughError(Exception):
    """All has been measured that was to be."""


@dataclass
class Steps:
    """What was measured.

    Attributes:
        whole: seconds of each step, its data and the loop's hooks included.
        split: seconds of each part; on a GPU of other steps, which are longer for being split.
        sizes: (images, height, width) of their batches, padded.
        instances: of their batches, annotated in training and found in a test.
        waits: for the device in one step.
        left_out: steps that a training did not take, as something was not finite.
    """

    whole: list[float] = field(default_factory=list)
    split: list[dict[str, float]] = field(default_factory=list)
    sizes: list[tuple[int, int, int]] = field(default_factory=list)
    instances: list[int] = field(default_factory=list)
    waits: Waits = field(default_factory=Waits)
    left_out: int = 0


class MeasuringHook(Hook):
    """Measures the steps of a loop, and ends it by raising `EnoughError`; once closed, as if never.

    Args:
        warmup: steps that are taken before, and not measured.
        steps: that are measured at most; a test may have fewer.
        clock: gives the time, in seconds.

    Attributes:
        measured: so far.
        stopwatch: of the parts; there is one when the loop has begun.
        images: that have passed in all, those of the warm-up included.
    """

    # After all others, whose time is the loop's.
    priority = 'LOWEST'

    def __init__(self, *, warmup: int, steps: int, clock: Callable[[], float]) -> None:
        self.measured = Steps()
        self.stopwatch: Stopwatch | None = None
        self.images = 0
        self._warmup, self._steps, self._clock = warmup, steps, clock
        self._kinds: Iterator[str] = iter(())
        self._kind = ''
        self._whole_kind = ''
        self._changes, self._counting = ExitStack(), ExitStack()

    def before_train(self, runner: Runner) -> None:
        """Begin, when all is built that is measured."""
        self._begin(runner, runner.train_loop, runner.max_iters, parts_of_training)

    # In which the averages of weights take the place of the weights.
    def before_test_epoch(self, runner: Runner) -> None:
        """Begin, when all is built that is measured."""
        loader = runner.test_dataloader
        assert isinstance(loader, DataLoader)
        self._begin(runner, runner.test_loop, len(loader), parts_of_test)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | tuple | list | None = None
    ) -> None:
        """Count from here on, if it is the step for it."""
        self._count(runner)

    def before_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | tuple | list | None = None
    ) -> None:
        """Count from here on, if it is the step for it."""
        self._count(runner)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Note what the step took."""
        self.measured.left_out += was_left_out(runner.optim_wrapper)
        self._end_step(sum(image.instances or 0 for image in images_of(data_batch)))

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: Sequence[DetDataSample] | None = None,
    ) -> None:
        """Note what the step took."""
        self._end_step(sum(len(sample.pred_instances) for sample in outputs or ()))

    def close(self) -> None:
        """Put everything back as it was."""
        self._counting.close()
        self._changes.close()

    def _begin(self, runner: Runner, loop: BaseLoop | None, batches: int, parts: Callable) -> None:
        assert loop is not None  # it has begun
        device = device_of(runner.model)
        apart = device.type == 'cuda'
        steps = min(self._steps, (batches - self._warmup - 1) // (1 + apart))
        if steps < 1:
            raise UserError(
                f'there are {batches} batches in all, too few for {self._warmup} to warm up and '
                'any to measure: lower --num-warmup'
            )
        self._kinds = chain(
            repeat('warm-up', self._warmup),
            repeat('whole', steps if apart else 0),
            repeat('split', steps),
            repeat('count', 1),
        )
        self._whole_kind = 'whole' if apart else 'split'
        self.stopwatch = Stopwatch(device, rest=LOOP, clock=self._clock)
        loop.dataloader = TimedLoader(loop.dataloader, self.stopwatch)
        self._changes.enter_context(parts(runner, self.stopwatch))
        preprocessor = detector_of(runner).data_preprocessor
        self._changes.callback(preprocessor.register_forward_hook(self._note_size).remove)
        self._next_kind()

    def _next_kind(self) -> None:
        kind = next(self._kinds, None)
        if kind is None:
            raise EnoughError
        assert self.stopwatch is not None
        self._kind = kind
        self.stopwatch.splits = kind == 'split'

    def _note_size(self, module: object, args: tuple, output: Mapping) -> None:
        images, _, height, width = output['inputs'].shape
        self.images += images
        if self._kind == 'split':
            self.measured.sizes.append((images, height, width))

    def _count(self, runner: Runner) -> None:
        if self._kind == 'count':
            counting = counting_waits(device_of(runner.model))
            self.measured.waits = self._counting.enter_context(counting)

    def _end_step(self, instances: int) -> None:
        self._counting.close()
        assert self.stopwatch is not None
        seconds = self.stopwatch.lap()
        if self._kind == self._whole_kind:
            self.measured.whole.append(sum(seconds.values()))
        if self._kind == 'split':
            self.measured.split.append(seconds)
            self.measured.instances.append(instances)
        self._next_kind()
