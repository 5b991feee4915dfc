"""Another pipeline for the last epochs."""

import logging
from collections.abc import Sequence

from mmengine.dataset import InfiniteSampler
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmdet.engine.loops import EpochBasedTrainLoop
from mmdet.engine.placed_data import PlacedDataset
from mmdet.errors import UserError
from mmdet.registry import HOOKS


@HOOKS.register_module()
class PipelineSwitchHook(Hook):
    """Train on samples of another pipeline from an epoch on, as RTMDet does.

    It is that of the data set; of `RepeatDataset`, `ConcatDataset` and `ClassBalancedDataset`, that
    of the data sets inside; of `MultiImageMixDataset`, its own. Each sample goes through the
    pipeline of its own epoch, whichever worker loads it and however far ahead, so that workers need
    not start anew, and a training that resumes is the one that was not stopped. In a loop over
    iterations an epoch is a pass over the data. There may be several of these hooks.

    Args:
        switch_epoch: the first epoch of the other pipeline, from 0.
        switch_pipeline: configs of its transforms.

    Raises:
        UserError: when the training begins, its data have no epochs or no pipeline.
    """

    def __init__(self, switch_epoch: int, switch_pipeline: Sequence[dict]) -> None:
        self.switch_epoch = switch_epoch
        self.switch_pipeline = switch_pipeline

    def before_train(self, runner: Runner) -> None:
        """Hand the pipeline to the data set."""
        loader = runner.train_dataloader
        if isinstance(getattr(loader.batch_sampler, 'sampler', None), InfiniteSampler):
            raise UserError(
                f'PipelineSwitchHook: {type(loader.batch_sampler.sampler).__name__} never comes to '
                f'the end of an epoch, so that there is no epoch {self.switch_epoch}: take '
                "train_dataloader.sampler=dict(type='DefaultSampler')"
            )
        if not isinstance(loader.dataset, PlacedDataset):
            raise UserError(
                f'PipelineSwitchHook: samples of {type(runner.train_loop).__name__} do not know '
                'their epoch: take EpochBasedTrainLoop or IterBasedTrainLoop of this project'
            )
        if not loader.dataset.pipelines.begin(self.switch_epoch, self.switch_pipeline):
            raise UserError('PipelineSwitchHook: the data set of train_dataloader has no pipeline')
        names = ', '.join(str(each['type']) for each in self.switch_pipeline)
        runner.logger.info(f'From epoch {self.switch_epoch + 1} on images go through {names}')
        loop = runner.train_loop
        if isinstance(loop, EpochBasedTrainLoop) and self.switch_epoch >= loop.max_epochs:
            print_log(
                f'PipelineSwitchHook: the training ends after {loop.max_epochs} epochs, before '
                f'switch_epoch={self.switch_epoch}: it never switches',
                logger='current',
                level=logging.WARNING,
            )
