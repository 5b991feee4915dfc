import resource
from pathlib import Path

import pytest
from mmengine.config import Config

from mmdet.engine.memory.auto_batch import (
    Found,
    described,
    largest,
    of_learning_rate,
    set_batch_size,
)
from mmdet.engine.memory.available import available_bytes
from mmdet.engine.memory.batch import images_of
from mmdet.engine.memory.heavy_batch import HeavyBatches
from mmdet.engine.memory.trial import Fits, Ready
from mmdet.errors import UserError
from mmdet.registry import DATASETS

GB = 10**9


@pytest.mark.parametrize('most', [1, 2, 3, 15, 16, 17])
@pytest.mark.parametrize('limit', [0, 1, 2, 3, 7, 13, 16, 99])
def test_the_largest_is_found_and_nothing_is_tried_twice(limit, most):
    tried = []
    assert largest(lambda number: tried.append(number) or number <= limit, most) == min(limit, most)
    assert len(set(tried)) == len(tried) and max(tried) <= most


def test_large_numbers_are_found_to_a_sixteenth():
    tried = []
    found = largest(lambda number: tried.append(number) or number <= 1500, 10**6)
    assert 1500 - 1500 // 16 <= found <= 1500
    assert len(tried) <= 17


@pytest.mark.parametrize('images', [1, 3, 12])
def test_a_heavy_batch_is_as_large_and_as_full_as_they_come(shapes_root, images):
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
        dict(type='PackDetInputs'),
    ]
    dataset = DATASETS.build(
        dict(
            type='ShapesDataset',
            data_root=str(shapes_root),
            ann_file='annotations/instances_train2017.json',
            data_prefix=dict(img='train2017/'),
            pipeline=pipeline,
        )
    )
    samples = [dataset[index] for index in range(len(dataset))]
    heights, widths = zip(*(sample['inputs'].shape[-2:] for sample in samples), strict=True)
    counts = sorted(len(sample['data_samples'].gt_instances) for sample in samples)
    found = images_of(HeavyBatches(dataset).of(images))
    assert found[0].size == (max(heights), max(widths))
    assert len({image.name for image in found}) == images
    total = sum(image.instances for image in found)
    assert total <= sum(counts[-images:])
    # No batch of the average kind: of three, twelve shuffles find one of the fullest.
    assert total >= sum(counts[-images:]) * (1 if images in (1, 12) else 0.8)


@pytest.fixture
def proc(tmp_path) -> Path:
    """What Linux tells of a machine with 8 GB left, and of a process in a cluster's job."""
    (tmp_path / 'proc/self').mkdir(parents=True)
    (tmp_path / 'proc/meminfo').write_text('MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\n')
    (tmp_path / 'proc/self/status').write_text('VmSize: 1000000 kB\n')
    (tmp_path / 'proc/self/cgroup').write_text('0::/\n')
    return tmp_path / 'proc'


def test_all_that_the_machine_has_left_is_available(proc, tmp_path):
    assert available_bytes(proc, tmp_path / 'none') == 8_000_000 * 1024


@pytest.mark.parametrize('version', [1, 2])
def test_a_jobs_limit_counts_where_it_is_less(proc, tmp_path, version):
    names, line, root = (
        ('memory.limit_in_bytes', 'memory.usage_in_bytes'),
        '5:cpu,memory:/jobs/7\n',
        'memory',
    )
    if version == 2:
        names, line, root = ('memory.max', 'memory.current'), '0::/jobs/7\n', ''
    (proc / 'self/cgroup').write_text(line)
    job = tmp_path / 'cgroup' / root / 'jobs/7'
    job.mkdir(parents=True)
    for folder, values in ((job.parent, (3 * GB, 2 * GB)), (job, (4 * GB, 1 * GB))):
        for name, value in zip(names, values, strict=True):
            (folder / name).write_text(f'{value}\n')
    # Files that the system keeps at hand make room when it is needed.
    (job.parent / 'memory.stat').write_text(f'anon {GB}\ninactive_file {GB // 2}\n')
    assert available_bytes(proc, tmp_path / 'cgroup') == 1.5 * GB


def test_a_shells_limit_counts_where_it_is_less(proc, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**40, hard))
    try:
        (proc / 'meminfo').write_text(f'MemAvailable: {2**31} kB\n')
        assert available_bytes(proc, tmp_path / 'none') == 2**40 - 1_000_000 * 1024
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_one_line_says_what_was_tried_and_chosen():
    found = Found(
        images=6,
        fitting=[1, 2, 4, 6],
        too_many=[8, 7],
        last=Fits(size=(800, 1333), instances=80, used=17 * GB),
        ready=Ready(images=1000, memory=20 * GB, of='NVIDIA A10'),
    )
    assert described(found) == (
        '--auto-batch: 1, 2, 4 and 6 images fit, 7 and 8 do not: train_dataloader.batch_size=6 '
        '(800 x 1333, 80 instances, 17.0 of 20.0 GB of NVIDIA A10)'
    )


@pytest.mark.parametrize(
    ('scaling', 'said'),
    [
        (None, 'stays as it is, for 4 images a step, not for 12: set optim_wrapper.optimizer.lr'),
        (dict(base_batch_size=16), 'for 16 images a step, not for 12: --auto-scale-lr scales it'),
        (dict(base_batch_size=16, enable=True), 'is scaled from 16 images a step to 12'),
        (dict(base_batch_size=12), None),
    ],
)
def test_the_learning_rate_is_spoken_of_and_left_alone(scaling, said):
    cfg = Config(dict(train_dataloader=dict(batch_size=6), auto_scale_lr=scaling))
    line = of_learning_rate(cfg, before=2, processes=2)
    assert line is None if said is None else line.endswith(said)


def test_a_sampler_with_batches_of_its_own_is_refused():
    sampler = dict(type='MultiSourceSampler', batch_size=4, source_ratio=[1, 1])
    with pytest.raises(UserError, match='MultiSourceSampler, puts batches of its own size'):
        set_batch_size(Config(dict(train_dataloader=dict(sampler=sampler))))
