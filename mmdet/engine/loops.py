"""The loops of training: mmengine's, which a checkpoint may end and begin anywhere, exactly.

mmengine's loop over epochs begins an epoch over, and its loop over iterations loads every batch
again that was trained on before. These begin at the batch after the checkpoint's last, which is
the same batch as in a training that was never stopped, and so are the random numbers.
"""

import bisect
from collections.abc import Iterator, Sequence

from mmengine.dist import get_rank
from mmengine.evaluator import Evaluator
from mmengine.logging import print_log
from mmengine.runner import BaseLoop, Runner
from mmengine.runner import EpochBasedTrainLoop as MMEngineEpochBasedTrainLoop
from mmengine.runner import TestLoop as MMEngineTestLoop
from mmengine.runner import ValLoop as MMEngineValLoop
from mmengine.runner.utils import calc_dynamic_intervals
from torch import nn
from torch.utils.data import DataLoader

from mmdet.errors import UserError
from mmdet.registry import LOOPS

from .memory.ending import (
    saving_if_it_cannot_be_validated,
    saving_if_it_does_not_fit,
    saving_if_they_cannot_be_loaded,
    saying_if_it_cannot_be_tested,
)
from .place import (
    Place,
    images_of_step,
    note_place,
    noted_place,
    place_in_epochs,
    place_in_iterations,
    same_images,
)
from .placed_data import batches_from, naming_lost_samples, placed, reseed
from .random_state import Use, seed_generators
from .stopping import note_signals, stop_if_asked, stop_validation_if_asked
from .unusable_images import UnusableImages


def _common_seed(runner: Runner) -> int:
    """Return the seed that all processes share; with `diff_rank_seed` each adds its rank to it."""
    different = runner._randomness_cfg.get('diff_rank_seed', False)  # as mmengine's loops read it
    return runner.seed - (get_rank() if different else 0)


def _build(runner: Runner, dataloader: DataLoader | dict) -> DataLoader:
    # Told of seeds that differ, mmengine would have a seed drawn for the sampler, and not noted.
    seed = _common_seed(runner)
    return placed(runner.build_dataloader(dataloader, seed=seed), seed=seed)


def _begin(runner: Runner, loader: DataLoader, *, by_counters: Place) -> Place:
    """Return where a training begins in its data, and give the data the seed that is resumed.

    Args:
        runner: of the training.
        loader: of the training.
        by_counters: where it would be if it had always been as it is now.
    """
    reseed(loader, _common_seed(runner))
    note_signals(runner)
    if runner.iter == 0:
        return by_counters
    noted, images = noted_place(runner.message_hub), by_counters.images
    if noted is None:
        print_log(
            'The checkpoint is none of these loops: random numbers, of the data and of the model, '
            'begin anew',
            logger='current',
        )
        return by_counters
    if noted.images == images:
        return noted
    print_log(
        f'The checkpoint was saved by a training of {noted.images} images a step, and this one '
        f'takes {images}: it goes on after the same images, but with other random numbers',
        logger='current',
    )
    return same_images(noted, images=images, iteration=runner.iter)


@LOOPS.register_module()
class EpochBasedTrainLoop(MMEngineEpochBasedTrainLoop):
    """mmengine's loop over epochs, which may begin in the middle of one.

    Args:
        runner: of the training.
        dataloader: the loader of the training, or its config.
        max_epochs: how many to train.
        val_begin: the first epoch, from 1, to validate after.
        val_interval: epochs from one validation to the next.
        dynamic_intervals: pairs of an epoch and the interval from there on.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        max_epochs: int,
        val_begin: int = 1,
        val_interval: int = 1,
        dynamic_intervals: list[tuple[int, int]] | None = None,
    ) -> None:
        loader = _build(runner, dataloader)
        super().__init__(runner, loader, max_epochs, val_begin, val_interval, dynamic_intervals)
        self._place = Place(epoch=0, first_iter=0, images=images_of_step(loader))
        self._unusable = UnusableImages(runner, loader)

    def run(self) -> nn.Module:
        """Train, from where the counters of a resumed checkpoint are."""
        counted = place_in_epochs(self.dataloader, epoch=self._epoch, iteration=self._iter)
        self._place = _begin(self.runner, self.dataloader, by_counters=counted)
        with naming_lost_samples(self.dataloader), self._unusable.listed_at_end():
            return super().run()

    def run_epoch(self) -> None:
        """Train an epoch, or what is left of it."""
        runner = self.runner
        if self._place.epoch != self._epoch:
            self._place = Place(self._epoch, self._iter, images_of_step(self.dataloader))
        note_place(runner.message_hub, self._place)
        seed_generators(runner.seed, Use.EPOCH, self._epoch, cuda=True)
        runner.call_hook('before_train_epoch')
        runner.model.train()
        first = self._iter - self._place.first_iter
        batches = batches_from(self.dataloader, epoch=self._epoch, first=first)
        batches = saving_if_they_cannot_be_loaded(runner, batches, self.dataloader)
        for index, batch in enumerate(batches, start=first):
            self.run_iter(index, batch)
        runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Sequence[dict]) -> None:
        """Train one step."""
        self._unusable.collect()
        seed_generators(self.runner.seed, Use.STEP, self._iter, cuda=True)
        with saving_if_it_does_not_fit(self.runner, data_batch):
            super().run_iter(idx, data_batch)
        stop_if_asked(self.runner)


@LOOPS.register_module()
class IterBasedTrainLoop(BaseLoop):
    """mmengine's loop over iterations, which loads no batch again that was trained on before.

    A sampler that comes to its end (`DefaultSampler`) begins anew with the next epoch's number.

    It is no subclass of mmengine's, which begins to load when it is built.

    Args:
        runner: of the training.
        dataloader: the loader of the training, or its config.
        max_iters: how many to train.
        val_begin: the first iteration, from 1, to validate after.
        val_interval: iterations from one validation to the next.
        dynamic_intervals: pairs of an iteration and the interval from there on.
    """

    max_epochs = 1  # as mmengine's: the whole training is one epoch to hooks

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        max_iters: int,
        val_begin: int = 1,
        val_interval: int = 1000,
        dynamic_intervals: list[tuple[int, int]] | None = None,
    ) -> None:
        super().__init__(runner, _build(runner, dataloader))
        self._unusable = UnusableImages(runner, self.dataloader)
        if int(max_iters) != max_iters:
            raise UserError(f'train_cfg.max_iters is {max_iters}, which is no whole number')
        self.max_iters = int(max_iters)
        # Runner.resume sets these two.
        self._epoch = self._iter = 0
        self.val_begin = val_begin
        self.val_interval = val_interval
        self.stop_training = False  # EarlyStoppingHook sets it
        runner.visualizer.dataset_meta = getattr(self.dataloader.dataset, 'metainfo', None)
        self.dynamic_milestones, self.dynamic_intervals = calc_dynamic_intervals(
            val_interval, dynamic_intervals
        )

    @property
    def epoch(self) -> int:
        """The present epoch."""
        return self._epoch

    @property
    def iter(self) -> int:
        """The present iteration."""
        return self._iter

    def run(self) -> nn.Module:
        """Train, from where the counter of a resumed checkpoint is."""
        runner = self.runner
        counted = place_in_iterations(self.dataloader, iteration=self._iter)
        place = _begin(runner, self.dataloader, by_counters=counted)
        with naming_lost_samples(self.dataloader), self._unusable.listed_at_end():
            return self._train_from(place)

    def _train_from(self, place: Place) -> nn.Module:
        runner = self.runner
        runner.call_hook('before_train')
        seed_generators(runner.seed, Use.EPOCH, self._epoch, cuda=True)
        runner.call_hook('before_train_epoch')
        batches = self._batches(place)
        batches = saving_if_they_cannot_be_loaded(runner, batches, self.dataloader)
        while self._iter < self.max_iters and not self.stop_training:
            runner.model.train()
            self.run_iter(next(batches))
            self.val_interval = self.dynamic_intervals[
                bisect.bisect(self.dynamic_milestones, self._iter + 1) - 1
            ]
            if (
                runner.val_loop is not None
                and self._iter >= self.val_begin
                and (self._iter % self.val_interval == 0 or self._iter == self.max_iters)
            ):
                runner.val_loop.run()
        runner.call_hook('after_train_epoch')
        runner.call_hook('after_train')
        return runner.model

    def _batches(self, place: Place) -> Iterator:
        while True:
            note_place(self.runner.message_hub, place)
            first = self._iter - place.first_iter
            yield from batches_from(self.dataloader, epoch=place.epoch, first=first)
            if self._iter == place.first_iter:
                raise UserError('train_dataloader has no batch: has its data set any image?')
            place = Place(place.epoch + 1, self._iter, place.images)

    def run_iter(self, data_batch: Sequence[dict]) -> None:
        """Train one step."""
        self._unusable.collect()
        runner = self.runner
        seed_generators(runner.seed, Use.STEP, self._iter, cuda=True)
        with saving_if_it_does_not_fit(runner, data_batch):
            runner.call_hook('before_train_iter', batch_idx=self._iter, data_batch=data_batch)
            outputs = runner.model.train_step(data_batch, optim_wrapper=runner.optim_wrapper)
            runner.call_hook(
                'after_train_iter', batch_idx=self._iter, data_batch=data_batch, outputs=outputs
            )
            self._iter += 1
        stop_if_asked(runner)


@LOOPS.register_module()
class ValLoop(MMEngineValLoop):
    """mmengine's loop of validation, which stops when the training is asked to.

    Args:
        runner: of the training.
        dataloader: the loader of the validation, or its config.
        evaluator: the metrics, or their config.
        fp16: validate in mixed precision.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list,
        fp16: bool = False,
    ) -> None:
        super().__init__(runner, dataloader, evaluator, fp16)

    def run_iter(self, idx: int, data_batch: Sequence[dict]) -> None:
        """Validate one batch."""
        stop_validation_if_asked(self.runner)
        with saving_if_it_cannot_be_validated(self.runner, data_batch):
            super().run_iter(idx, data_batch)


@LOOPS.register_module()
class TestLoop(MMEngineTestLoop):
    """mmengine's loop of a test, which says what a batch was that does not fit into memory.

    Args:
        runner: of the test.
        dataloader: the loader of the test, or its config.
        evaluator: the metrics, or their config.
        fp16: test in mixed precision.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list,
        fp16: bool = False,
    ) -> None:
        super().__init__(runner, dataloader, evaluator, fp16)

    def run_iter(self, idx: int, data_batch: Sequence[dict]) -> None:
        """Test one batch."""
        with saying_if_it_cannot_be_tested(self.runner, data_batch):
            super().run_iter(idx, data_batch)
