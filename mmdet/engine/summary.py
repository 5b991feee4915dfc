"""What is trained or tested, on what, and where it goes: a few lines for the beginning of a log."""

from collections.abc import Sequence, Sized

import torch
from mmengine.dist import get_world_size
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmdet.datasets.dataset_wrappers import innermost

from .optim_wrapper import mixed_precision_of
from .wrapper import device_of, unwrapped


def describe_training(runner: Runner) -> str:
    """Return the lines that say what a training is; its loaders and optimizer have been built."""
    lines = [
        ('config', runner.cfg.filename),
        ('model', _model(runner)),
        ('training', _data(runner.train_dataloader)),
        ('validation', _data(runner.val_dataloader) if runner.val_loop else None),
        ('schedule', _schedule(runner)),
        ('device', _device(runner)),
        ('starts from', _start(runner)),
        *_places(runner),
    ]
    return _table(lines)


def describe_test(runner: Runner) -> str:
    """Return the lines that say what a test is; its loader has been built."""
    lines = [
        ('config', runner.cfg.filename),
        ('model', _model(runner)),
        ('test', _data(runner.test_dataloader)),
        ('device', _device(runner)),
        ('checkpoint', runner.cfg.get('load_from')),
        *_places(runner),
    ]
    return _table(lines)


def _table(lines: Sequence[tuple[str, str | None]]) -> str:
    return '\n' + '\n'.join(f'  {title:12} {value}' for title, value in lines if value)


def _model(runner: Runner) -> str:
    """Return such as `SOLO: ResNet 18, FPN, SOLOHead; 1,234,567 parameters`."""
    model = unwrapped(runner.model)
    backbone = runner.cfg.get('model', {}).get('backbone', {})
    kinds = dict(backbone=backbone.get('depth') or backbone.get('model_name'))
    parts = [
        f'{type(part).__name__} {kinds.get(name) or ""}'.strip()
        for name, part in model.named_children()
        if name != 'data_preprocessor'
    ]
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    total = sum(size for size, _ in sizes)
    frozen = sum(size for size, is_trained in sizes if not is_trained)
    return (
        f'{type(model).__name__}: {", ".join(parts)}; {total:,} parameters'
        f'{f", {frozen:,} of them frozen" if frozen else ""}'
    )


def _data(loader: DataLoader) -> str:
    dataset = loader.dataset
    assert isinstance(dataset, Sized)  # its sampler asks for its length
    classes = (getattr(dataset, 'metainfo', None) or {}).get('classes', ())
    sources = [
        getattr(inner, 'ann_file', '') or type(inner).__name__ for inner in innermost(dataset)
    ]
    return f'{len(dataset):,} images, {len(classes)} classes: {", ".join(sources)}'


def _schedule(runner: Runner) -> str:
    by_epoch = type(runner.train_loop).__name__.startswith('Epoch')
    steps = len(runner.train_dataloader)
    length = f'{runner.max_epochs} epochs of {steps:,}' if by_epoch else f'{runner.max_iters:,}'
    batch = getattr(runner.train_dataloader.batch_sampler, 'batch_size', None)
    images = f' with {batch * get_world_size()} images each' if batch else ''
    text = f'{length} steps{images}'
    optimizer = getattr(runner.optim_wrapper, 'optimizer', None)
    if optimizer is None:  # several
        return text
    return f'{text}; {type(optimizer).__name__}, learning rate {optimizer.defaults.get("lr")}'


def _device(runner: Runner) -> str:
    device = device_of(runner.model)
    processes = get_world_size()
    if device.type == 'cuda':
        name = torch.cuda.get_device_name(device)
        text = f'{processes} x {name}' if processes > 1 else name
    else:
        threads = torch.get_num_threads()
        text = f'{device.type.upper()}, {threads} thread{"s" if threads > 1 else ""}'
        text += f' in each of {processes} processes' if processes > 1 else ''
    dtype = mixed_precision_of(runner.optim_wrapper, device)
    if dtype is not None:
        text += f', mixed precision ({str(dtype).removeprefix("torch.")})'
    return text


def _start(runner: Runner) -> str | None:
    load_from = runner.cfg.get('load_from')
    return load_from and f'{load_from}{", resumed" if runner.cfg.get("resume") else ""}'


def _places(runner: Runner) -> list[tuple[str, str | None]]:
    return [('goes to', runner.work_dir), ('log', runner.logger.log_file)]
