"""A training that goes on from any of its checkpoints is the one that was never stopped."""

import itertools
import time
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner as MMEngineRunner

from mmdet.datasets.transforms import LoadImageFromFile
from mmdet.engine.placed_data import batches_from, placed
from mmdet.engine.runner import Runner
from tests.faults.training import EPOCH, Trained, assert_same, config, train, with_validation

# In the middle of an epoch, and, where four steps are accumulated, of an accumulation.
STOPS = dict(end=(EPOCH, 'epoch_1.pth'), middle=(9, 'iter_9.pth'))
EMA = [dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=0.01, gamma=20)]
# One before the stop in the middle, and one after it
SWITCHES = [
    dict(
        type='PipelineSwitchHook',
        switch_epoch=epoch,
        switch_pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
            dict(type='RandomResize', scale=[(side, side), (side + 32, side)], keep_ratio=False),
            dict(type='PackDetInputs'),
        ],
    )
    for epoch, side in ((1, 64), (2, 96))
]


def variant(cfg: Config, *names: str) -> Config:
    for name in names:
        if name == 'bf16':
            cfg.optim_wrapper.type = 'AmpOptimWrapper'
        elif name == 'ema':
            cfg.custom_hooks = EMA
        elif name == 'switch':
            cfg.custom_hooks = [*cfg.custom_hooks, *SWITCHES]
        elif name == 'accumulation':
            cfg.optim_wrapper.accumulative_counts = 4
        elif name == 'seedless':
            cfg.randomness = dict(seed=None)
        elif name == 'seeds-by-rank':
            cfg.randomness = dict(seed=None, diff_rank_seed=True)
        elif name in ('DefaultSampler', 'InfiniteSampler'):
            cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=30, val_interval=99)
            cfg.train_dataloader.sampler = dict(type=name)
            cfg.default_hooks.pop('epochs')
        else:
            raise ValueError(name)
    return cfg


def stop_and_go_on(root: Path, folder: Path, *names: str, stop: str, workers: int) -> Trained:
    """Assert that both trainings are equal; the first loads its data in its own process."""
    whole = train(variant(config(root, folder / 'whole'), *names))
    again = variant(config(root, folder / 'again', workers=workers), *names)
    step, name = STOPS[stop]
    resumed = train(again, resume=folder / 'whole' / name)
    assert_same(resumed, whole, stop=step)
    return resumed


@pytest.mark.parametrize(
    ('names', 'stop', 'workers'),
    [
        (('bf16', 'ema', 'switch', 'accumulation'), 'middle', 2),
        (('seedless',), 'end', 0),
        (('seeds-by-rank', 'DefaultSampler', 'switch'), 'middle', 0),
        (('InfiniteSampler',), 'middle', 2),
    ],
)
def test_the_next_losses_and_the_weights_are_equal(shapes_root, tmp_path, names, stop, workers):
    stop_and_go_on(shapes_root, tmp_path, *names, stop=stop, workers=workers)


@pytest.mark.long
@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('stop', STOPS)
@pytest.mark.parametrize(
    'names', list(itertools.product(['bf16', ''], ['ema', ''], ['accumulation', '']))
)
def test_every_combination(shapes_root, tmp_path, names, stop, workers):
    stop_and_go_on(shapes_root, tmp_path, *filter(None, names), stop=stop, workers=workers)


@pytest.mark.long
@pytest.mark.parametrize('stop', STOPS)
@pytest.mark.parametrize('workers', [0, 2])
def test_mmengines_own_loop_under_the_same_stop(shapes_root, tmp_path, stop, workers):
    """What it does today: should it ever resume exactly, ours has less to do."""

    def its_own(folder: Path) -> Config:
        cfg = config(shapes_root, folder, workers=workers)
        cfg.train_cfg.type = 'mmengine.EpochBasedTrainLoop'
        cfg.optim_wrapper.type = 'mmengine.OptimWrapper'
        return cfg

    whole = train(its_own(tmp_path / 'whole'), runner_type=MMEngineRunner)
    name = STOPS[stop][1]
    resumed = train(
        its_own(tmp_path / 'again'), resume=tmp_path / 'whole' / name, runner_type=MMEngineRunner
    )
    equal = [step for step, loss in resumed.losses.items() if whole.losses.get(step) == loss]
    print(f'mmengine, {workers} workers, {stop}: {len(equal)} of {len(resumed.losses)} equal')
    assert not equal


def test_validation_in_between_disturbs_nothing(shapes_root, tmp_path):
    alone = train(config(shapes_root, tmp_path / 'alone', epochs=2))
    cfg = with_validation(config(shapes_root, tmp_path / 'validated', epochs=2), shapes_root)
    assert train(cfg).losses == alone.losses


def test_a_checkpoint_of_mmdetection_resumes_with_other_random_numbers(
    shapes_root, tmp_path, capfd
):
    train(config(shapes_root, tmp_path / 'whole', epochs=2))
    foreign = torch.load(tmp_path / 'whole/iter_9.pth', weights_only=True)
    del foreign['message_hub']['runtime_info']['place_in_data']
    torch.save(foreign, tmp_path / 'foreign.pth')
    cfg = config(shapes_root, tmp_path / 'again', epochs=2)
    cfg.log_level = 'INFO'
    resumed = train(cfg, resume=tmp_path / 'foreign.pth')
    assert sorted(resumed.losses) == [9, 10, 11]
    (log,) = tmp_path.glob('again/*/*.log')
    assert 'random numbers, of the data and of the model, begin anew' in log.read_text()


def test_at_iteration_10000_nothing_is_loaded_that_was_trained_on(
    shapes_root, tmp_path, monkeypatch
):
    names = ('DefaultSampler',)
    train(variant(config(shapes_root, tmp_path / 'whole'), *names))
    late = torch.load(tmp_path / 'whole/iter_9.pth', weights_only=True)
    late['meta']['iter'] = 10_000
    late['message_hub']['runtime_info']['place_in_data'] |= dict(epoch=0, first_iter=0)
    torch.save(late, tmp_path / 'late.pth')
    loaded = []
    load = LoadImageFromFile.transform
    monkeypatch.setattr(
        LoadImageFromFile,
        'transform',
        lambda self, r: loaded.append(r['img_path']) or load(self, r),
    )
    cfg = variant(config(shapes_root, tmp_path / 'again'), *names)
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler')
    cfg.train_cfg.max_iters = 10_002
    begin = time.perf_counter()
    resumed = train(cfg, resume=tmp_path / 'late.pth')
    assert sorted(resumed.losses) == [10_000, 10_001]
    assert len(loaded) == 4
    assert time.perf_counter() - begin < 30  # with all that is built; an image takes 10 ms


@pytest.mark.long
def test_the_place_at_iteration_10000_is_found_in_seconds(shapes_root, tmp_path):
    """Without any image before it, though a sampler looks up the size of each."""
    cfg = config(shapes_root, tmp_path)
    loader = cfg.train_dataloader
    loader.update(batch_size=16, batch_sampler=dict(type='AspectRatioBatchSampler'))
    loader.sampler = dict(type='InfiniteSampler')

    def first_batch_after(steps: int) -> float:
        batches = placed(Runner.build_dataloader(loader, seed=0), seed=0)
        begin = time.process_time()
        next(batches_from(batches, epoch=0, first=steps))
        return time.process_time() - begin

    seconds = first_batch_after(10_000) - first_batch_after(0)
    print(f'{seconds:.1f} s')
    assert seconds < 5
