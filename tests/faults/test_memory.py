"""A batch takes more memory than there is."""

import re
import resource
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from mmdet.engine.memory.exhausted import BatchTooLargeError
from mmdet.engine.runner import Runner
from mmdet.registry import HOOKS
from tests.faults.sessions import end, importing
from tests.faults.training import (
    BATCH,
    IMAGES,
    Trained,
    assert_same,
    config,
    train,
    with_validation,
)

STEP = 8  # the first that does not fit
LIMITING = '''
import re, resource
from pathlib import Path
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmdet.registry import HOOKS

@HOOKS.register_module()
class Limit(Hook):
    """Leaves a rank no memory but what it has, from a step on."""

    def __init__(self, rank, step):
        self.rank, self.step = rank, step

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.step and get_rank() == self.rank:
            size = re.search(r'VmSize:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]
            most = resource.getrlimit(resource.RLIMIT_AS)[1]
            resource.setrlimit(resource.RLIMIT_AS, (int(size) * 1024, most))
'''


def limited(cfg: Config, folder: Path, *, rank: int, workers: int) -> str:
    """Return settings of a training that has no more memory after its first step."""
    (folder / 'limiting.py').write_text(LIMITING)
    cfg.custom_hooks.append(dict(type='Limit', rank=rank, step=1))
    cfg.train_dataloader.update(num_workers=workers, persistent_workers=workers > 0)
    # What glibc has put aside by then is not enough for a step of larger images.
    resize = next(each for each in cfg.train_dataloader.dataset.pipeline if 'scale' in each)
    resize.update(type='Resize', scale=(768, 768))
    return importing(cfg, folder, 'limiting')


def checkpoint_named_in(line: str, folder: Path) -> int:
    """Return the iteration of the checkpoint that a last line says is saved; it is sound."""
    match = re.search(r'(\S+/iter_(\d+)\.pth) is saved, --resume goes on from there$', line)
    assert match, line
    assert torch.load(match[1], weights_only=True)['meta']['iter'] == int(match[2])
    assert (folder / 'last_checkpoint').read_text() == match[1]
    return int(match[2])


@pytest.mark.long
@pytest.mark.parametrize('processes', [1, 2])
def test_no_memory_is_left_for_a_step(start, cfg, tmp_path, processes):
    """With two processes it is the second alone, while the first waits for it."""
    settings = limited(cfg, tmp_path, rank=processes - 1, workers=0)
    tool = ['tools/train.py'] if processes == 1 else ['tools/train_dist.py']
    process = start(*tool, settings, *([processes] if processes > 1 else []))
    text, seconds = end(process)
    assert process.returncode == 2, text
    assert seconds < 60
    *_, last = text.splitlines()
    step = checkpoint_named_in(last, tmp_path / 'w') + 1
    assert re.search(rf'out of memory in step {step}, of {BATCH} images with \d+ instances', last)
    assert re.search(rf'The batch, {BATCH} x 3 x \d+ x \d+ when padded:', text)
    assert len(re.findall(r'\d+ x \d+, \d+ instances  \S+/train2017/\d+.jpg', text)) == BATCH
    for option in (
        'train_dataloader.batch_size=1 optim_wrapper.accumulative_counts=2',
        '--amp',
        'model.backbone.with_cp=True',
        '--auto-batch',
    ):
        assert option in text


@pytest.mark.long
def test_no_memory_is_left_for_what_workers_load(start, cfg, tmp_path):
    process = start('tools/train.py', limited(cfg, tmp_path, rank=0, workers=2))
    text, _ = end(process)
    assert process.returncode == 2, text
    *_, last = text.splitlines()
    checkpoint_named_in(last, tmp_path / 'w')
    assert 'num_workers=1' in text or 'out of memory in step' in last


def run_out_on_a_gpu(*_: object) -> None:
    raise torch.cuda.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.')


def run_out_on_a_cpu(*_: object) -> None:
    """Ask for more than this process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    size = re.search(r'VmSize:\s+(\d+)', Path('/proc/self/status').read_text())[1]
    resource.setrlimit(resource.RLIMIT_AS, (int(size) * 1024 + 2**26, hard))
    try:
        torch.empty(2**28)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@HOOKS.register_module()
class Exhausted(Hook):
    """Lets memory run out in the forward or the backward pass of a step, or after its update."""

    def __init__(self, where: str, on_gpu: bool = True) -> None:
        self.where = where
        self.fail = run_out_on_a_gpu if on_gpu else run_out_on_a_cpu

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter != STEP:
            return
        if self.where == 'forward':
            runner.model.mask_head.register_forward_hook(self.fail)
        elif self.where == 'backward':
            # By then the head has its gradients.
            runner.model.backbone.layer1[0].conv1.weight.register_hook(self.fail)
        else:
            runner.optim_wrapper.optimizer.register_step_post_hook(self.fail)


@pytest.fixture(scope='module')
def whole(shapes_root, tmp_path_factory) -> Trained:
    return train(config(shapes_root, tmp_path_factory.mktemp('whole')))


@pytest.mark.parametrize(
    ('where', 'on_gpu'),
    [
        ('backward', False),
        pytest.param('backward', True, marks=pytest.mark.long),
        pytest.param('forward', True, marks=pytest.mark.long),
        pytest.param('forward', False, marks=pytest.mark.long),
    ],
)
def test_the_training_goes_on_from_that_step_exactly(shapes_root, tmp_path, whole, where, on_gpu):
    """Batch norms that are trained have seen a part of the batch by then."""
    cfg = config(shapes_root, tmp_path / 'w')
    cfg.custom_hooks = [dict(type='Exhausted', where=where, on_gpu=on_gpu)]
    saved = tmp_path / f'w/iter_{STEP}.pth'
    said = 'CUDA out of memory' if on_gpu else "can't allocate memory"
    with pytest.raises(BatchTooLargeError, match=rf'{said}(.|\n)*{saved} is saved'):
        train(cfg)
    assert_same(train(config(shapes_root, tmp_path / 'again'), resume=saved), whole, stop=STEP)


@pytest.mark.parametrize(
    ('where', 'accumulated', 'is_saved'),
    [('update', 1, False), ('forward', 3, True), ('backward', 3, False)],
)
def test_nothing_is_saved_that_the_step_has_changed(
    shapes_root, tmp_path, where, accumulated, is_saved
):
    cfg = config(shapes_root, tmp_path / 'w')
    cfg.optim_wrapper.accumulative_counts = accumulated
    cfg.custom_hooks = [dict(type='Exhausted', where=where)]
    with pytest.raises(BatchTooLargeError) as raised:
        train(cfg)
    last = str(raised.value).splitlines()[-1]
    assert (f'iter_{STEP}.pth is saved' in last) == is_saved
    assert ('--resume goes on from the last checkpoint' in last) != is_saved
    assert (tmp_path / f'w/iter_{STEP}.pth').exists() == is_saved


@pytest.mark.parametrize('stage', ['val', 'test'])
def test_an_image_that_cannot_be_evaluated_is_named(shapes_root, tmp_path, stage):
    cfg = with_validation(config(shapes_root, tmp_path, epochs=1), shapes_root)
    cfg.test_cfg, cfg.test_dataloader = dict(), cfg.val_dataloader
    cfg.test_evaluator = cfg.val_evaluator
    runner = Runner.from_cfg(cfg)
    # In evaluation alone.
    runner.model.mask_head.predict = run_out_on_a_gpu
    with pytest.raises(BatchTooLargeError) as raised:
        runner.train() if stage == 'val' else runner.test()
    last = str(raised.value).splitlines()[-1]
    assert f'out of memory in the {dict(val="validation", test="test")[stage]}, at 1 images' in last
    assert re.search(r'\d+ x \d+.*  \S+/val2017/000000000001.jpg', str(raised.value))
    assert f'a smaller scale in {stage}_dataloader.dataset.pipeline' in str(raised.value)
    assert ('epoch_1.pth is saved' in last) == (stage == 'val')


@pytest.mark.long
def test_auto_batch_finds_what_fits_and_the_training_stays_within(start, cfg, tmp_path):
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    resize = next(each for each in cfg.train_dataloader.dataset.pipeline if 'scale' in each)
    resize.update(type='Resize', scale=(1024, 1024))
    # About three images; the trials import it, too.
    (tmp_path / 'limiting.py').write_text(
        'import re, resource\n'
        "size = re.search(r'VmSize:\\s+(\\d+)', open('/proc/self/status').read())[1]\n"
        'limit = int(size) * 1024 + 1000 * 2**20\n'
        'resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))\n'
    )
    path = importing(cfg, tmp_path, 'limiting')
    options = ('--auto-batch', '--cfg-options', 'train_cfg.max_epochs=1')
    process = start('tools/train.py', path, *options)
    text, _ = end(process, timeout=600)
    assert process.returncode == 0, text
    match = re.search(r'--auto-batch: (.*) fit, (.*) do(?:es)? not: .*batch_size=(\d+) ', text)
    assert match, text
    fitting, too_many = ([int(each) for each in re.findall(r'\d+', match[n])] for n in (1, 2))
    found = int(match[3])
    assert found == max(fitting) == min(too_many) - 1 < IMAGES
    assert Config.fromfile(tmp_path / 'w/settings.py').train_dataloader.batch_size == found
    assert f'learning rate stays as it is, for {BATCH} images a step, not for {found}' in text
