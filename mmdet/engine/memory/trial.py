"""Real steps of a training, in a process of their own: nothing is left of one that does not fit."""

import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.utils import import_modules_from_strings
from torch.utils.data import DataLoader, IterableDataset

from mmdet.engine.config import is_a
from mmdet.engine.runner import Runner
from mmdet.errors import UserError
from mmdet.registry import DATASETS, HOOKS
from mmdet.utils import register_all_modules

from .available import keep_within_available, most_used_bytes
from .batch import images_of
from .exhausted import BatchTooLargeError
from .heavy_batch import HeavyBatches

# The first takes what later ones keep, such as the optimizer's momentum.
_STEPS = 2
_ENDLESS = 10**9
# What mmengine reads of a whole config when a training begins.
_READ_BY_RUNNER = ('activation_checkpointing', 'compile', 'efficient_conv_bn_eval')
_NO_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')


class Ready(NamedTuple):
    """What a trial says first.

    Attributes:
        images: how many the data set has.
        memory: bytes that the trial may take.
        of: what has the memory.
    """

    images: int
    memory: int
    of: str


class Fits(NamedTuple):
    """That a batch fits.

    Attributes:
        size: (height, width) of the images.
        instances: in the batch.
        used: bytes at most, of this and smaller batches.
    """

    size: tuple[int, int]
    instances: int
    used: int


class DoesNotFit(NamedTuple):
    """That a batch does not fit; the process ends with it.

    Attributes:
        said: by the training, in lines.
    """

    said: str


class Failed(NamedTuple):
    """That no training is possible.

    Attributes:
        said: a `UserError`'s message.
    """

    said: str


class _Asked(IterableDataset):
    """Batches of the sizes that are asked for; answers when the steps with one have been taken."""

    def __init__(self, batches: HeavyBatches, pipe: Connection) -> None:
        self._batches, self._pipe = batches, pipe

    def __len__(self) -> int:
        return _ENDLESS

    def __iter__(self) -> Iterator[dict]:
        while True:
            batch = self._batches.of(self._pipe.recv())
            for _ in range(_STEPS):
                yield batch
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            instances = sum(image.instances or 0 for image in images_of(batch))
            self._pipe.send(Fits(self._batches.size, instances, most_used_bytes()))


def serve(pipe: Connection, settings: dict, processes: int) -> None:
    """Train with batches of the sizes that come through a pipe, until it is closed.

    Args:
        pipe: sizes come in; what is in this module goes out, `Ready` first.
        settings: a config's.
        processes: of the training.
    """
    cfg = Config(settings)
    try:
        if cfg.get('custom_imports'):
            import_modules_from_strings(**cfg.custom_imports)
        register_all_modules()
        batches = HeavyBatches(DATASETS.build(cfg.train_dataloader.dataset))
        memory, of = keep_within_available(processes)
        pipe.send(Ready(len(batches), memory, of))
        with tempfile.TemporaryDirectory() as folder:
            _runner(cfg, DataLoader(_Asked(batches, pipe), batch_size=None), folder).train()
    except BatchTooLargeError as error:
        pipe.send(DoesNotFit(str(error)))
    except UserError as error:
        pipe.send(Failed(error.on_command_line()))
    except EOFError:
        return  # nothing more is asked


def _runner(cfg: Config, loader: DataLoader, folder: str) -> Runner:
    """Return a runner that trains a config's model, and does nothing else."""
    optim_wrapper = cfg.optim_wrapper.to_dict()
    if 'lr' in (optim_wrapper.get('optimizer') or {}):
        optim_wrapper['optimizer']['lr'] = 0.0  # one batch over and over leads nowhere
    averages = [hook for hook in cfg.get('custom_hooks') or () if is_a(hook, HOOKS, EMAHook)]
    read = {key: cfg[key] for key in _READ_BY_RUNNER if cfg.get(key) is not None}
    described = dict(model=cfg.model, optim_wrapper=optim_wrapper)
    return Runner(
        model=cfg.model,
        work_dir=folder,
        train_dataloader=loader,
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=_ENDLESS, val_interval=_ENDLESS),
        optim_wrapper=optim_wrapper,
        # None takes a hook away, which mmengine's annotations do not know.
        default_hooks=dict.fromkeys(_NO_HOOKS),  # pyrefly: ignore[bad-argument-type]
        custom_hooks=averages,
        data_preprocessor=cfg.get('data_preprocessor'),
        # This process was spawned; anything else would only be warned of, as no worker is started.
        env_cfg={**(cfg.get('env_cfg') or {}), 'mp_cfg': dict(mp_start_method='spawn')},
        default_scope=cfg.get('default_scope') or 'mmdet',
        log_level='ERROR',
        experiment_name=folder,
        cfg=described | read,
    )
