"""The runner: mmengine's, with a quiet screen, a quiet Ctrl-C, and one line for what lacks.

What it saves is whole: see `mmdet.engine.checkpoint.aside`.
"""

import errno
import inspect
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch.distributed as dist
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import BaseLoop, CheckpointLoader
from mmengine.runner import Runner as MMEngineRunner
from mmengine.visualization import Visualizer
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from mmdet.errors import UserError
from mmdet.models.detectors import SOLO

from .checkpoint import check_fit, checkpoint_to_resume, load_what_fits
from .checkpoint.aside import is_local, written_aside
from .compiling import compile_network, naming_compilation
from .console import arrange_handlers
from .fused_optimizer import with_fused_step
from .processes import ending_with_others
from .saver import saves
from .signals import StopRequest, listening
from .worker_memory import keep_freed_memory
from .workers import leave_interrupts_to_main
from .wrapper import device_of, unwrapped

_MIB = 2**20


class Runner(MMEngineRunner):
    """mmengine's runner; see this module, and mmengine's class for the arguments.

    Attributes:
        stop_request: what asked the training to stop; None before it.
    """

    stop_request: StopRequest | None = None

    def build_logger(
        self, log_level: int | str = 'INFO', log_file: str | None = None, **kwargs: object
    ) -> MMLogger:
        """Return the logger of this run; further arguments are those of mmengine's `MMLogger`."""
        logger = super().build_logger(log_level, log_file, **kwargs)
        arrange_handlers(logger, log_level)
        return logger

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict, seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader:
        """Return mmengine's loader; its workers leave Ctrl-C to the main process, keep memory."""
        loader = MMEngineRunner.build_dataloader(dataloader, seed, diff_rank_seed)
        if isinstance(loader.dataset, Sized) and not len(loader.dataset):
            # mmengine's samplers divide by its length.
            loader = DataLoader(loader.dataset, collate_fn=loader.collate_fn)
        leave_interrupts_to_main(loader)
        keep_freed_memory(loader)
        return loader

    def build_visualizer(self, visualizer: Visualizer | dict | None = None) -> Visualizer:
        """Return the visualizer, with all that its backends import.

        Raises:
            UserError: a backend's package is not installed, or it refuses to begin.
        """
        names = _backend_names(visualizer) if isinstance(visualizer, Mapping) else []
        built = super().build_visualizer(visualizer)
        for name in names if is_main_process() else ():
            backend = built.get_backend(name)  # None: mmengine left it out, and warned
            try:
                _ = backend and backend.experiment
            except ImportError as error:
                raise UserError(f'visualizer: {name} needs another package: {error}') from None
            except OSError:
                raise
            except Exception as error:  # of another library: want of an account, of a server, ...
                reason = ' '.join(str(error).split())
                raise UserError(f'visualizer: {name} does not begin: {reason}') from None
        return built

    def register_default_hooks(self, hooks: dict[str, Hook | dict] | None = None) -> None:
        """Register the hooks that every run has: mmengine's, and `NonFiniteHook`."""
        others = dict(non_finite=dict(type='NonFiniteHook')) | (hooks or {})
        if others['non_finite'] is None:
            del others['non_finite']
        super().register_default_hooks(others)

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Return the training loop; `by_epoch` chooses among this project's own."""
        if isinstance(loop, Mapping) and 'by_epoch' in loop and 'type' not in loop:
            others = {key: loop[key] for key in loop if key != 'by_epoch'}
            kind = 'EpochBasedTrainLoop' if loop['by_epoch'] else 'IterBasedTrainLoop'
            loop = dict(type=kind, **others)
        return super().build_train_loop(loop)

    def build_val_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Return the loop of validations; this project's own if the settings name none."""
        return super().build_val_loop(_named(loop, 'ValLoop'))

    def build_test_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Return the loop of a test; this project's own if the settings name none."""
        return super().build_test_loop(_named(loop, 'TestLoop'))

    def build_optim_wrapper(
        self, optim_wrapper: Optimizer | OptimWrapper | dict
    ) -> OptimWrapper | OptimWrapperDict:
        """Return the optimizer in its wrapper; see `mmdet.engine.fused_optimizer`."""
        if isinstance(optim_wrapper, dict):
            optim_wrapper = with_fused_step(optim_wrapper, device_of(self.model))
        return super().build_optim_wrapper(optim_wrapper)

    def _maybe_compile(self, target: str) -> None:
        """Compile what `compile` in the config is for, see `mmdet.engine.compiling`."""
        options = self.cfg.get('compile')
        detector = unwrapped(self.model)
        if not isinstance(detector, SOLO):
            super()._maybe_compile(target)
        elif options is not None and options is not False:
            compile_network(detector, {} if options is True else options)
            self.logger.info('Backbone and neck are compiled in the first steps, which take longer')

    def load_or_resume(self) -> None:
        """Load or resume; where nothing says from what, from the newest sound checkpoint.

        Raises:
            UserError: the work directory holds checkpoints, but none to go on from.
        """
        if self._resume and self._load_from is None and not self._has_loaded:
            self._load_from = checkpoint_to_resume(self.work_dir)
            self._resume = self._load_from is not None
        super().load_or_resume()

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = 'cpu',
        strict: bool = False,
        revise_keys: Sequence[tuple[str, str]] = (),
    ) -> dict:
        """Load a checkpoint's weights; what does not fit begins anew, which the log says.

        Args:
            filename: a path, an address, or a name of published weights.
            map_location: as `torch.load` takes it.
            strict: refuse a checkpoint that does not fit wholly.
            revise_keys: (regular expression, replacement), applied to the names.

        Returns:
            All that the checkpoint holds.

        Raises:
            UserError: nothing of it fits, or with `strict` not all.
        """
        content = CheckpointLoader.load_checkpoint(filename, map_location)
        for pattern, replacement in revise_keys:
            renamed = {re.sub(pattern, replacement, k): v for k, v in content['state_dict'].items()}
            content['state_dict'] = renamed
        if strict:
            check_fit(self.model, filename, content=content)
        self.call_hook('after_load_checkpoint', checkpoint=content)
        left_out = load_what_fits(self.model, content['state_dict'], filename)
        self._has_loaded = True
        self.logger.info(left_out or f'Load checkpoint from {filename}')
        return content

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: dict | None = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict | None = None,
        by_epoch: bool = True,
        backend_args: dict | None = None,
    ) -> None:
        """Save as mmengine does; a file on a disk has its name when the disk has all of it.

        Raises:
            UserError: the work directory is gone.
        """
        if not saves():
            return
        _check_still_there(self.work_dir)
        local = is_local(out_dir, file_client_args, backend_args)
        save = inspect.unwrap(MMEngineRunner.save_checkpoint)  # mmengine's looks at the rank alone
        with written_aside(Path(out_dir)) if local else nullcontext(out_dir) as folder:
            save(
                self,
                str(folder),
                filename,
                file_client_args=file_client_args,
                save_optimizer=save_optimizer,
                save_param_scheduler=save_param_scheduler,
                meta=meta,
                by_epoch=by_epoch,
                backend_args=backend_args,
            )

    def dump_config(self) -> None:
        """Write the settings into the work directory, but not over the file that they came from."""
        source = self.cfg.filename
        if source is None or Path(source).resolve().parent != Path(self.work_dir).resolve():
            super().dump_config()

    def train(self) -> nn.Module:
        """Train; an error of a full disk, or one that is gone, names the work directory.

        Raises:
            UserError: batch norms are to agree between processes that have no GPU.
            Stopped: a signal stopped the training, see `mmdet.engine.signals`.
        """
        _check_sync_bn(self.model)
        with (
            ending_with_others(),
            _naming_disk(self.work_dir),
            naming_compilation() if self.cfg.get('compile') else nullcontext(),
            listening() as self.stop_request,
        ):
            return super().train()

    def test(self) -> dict:
        """Test; an error of a full disk, or one that is gone, names the work directory."""
        with _naming_disk(self.work_dir):
            return super().test()


def _check_sync_bn(model: nn.Module) -> None:
    """Complain of what torch would refuse in the first step."""
    if device_of(model).type != 'cpu' or not dist.is_initialized():
        return
    if any(isinstance(module, nn.SyncBatchNorm) for module in model.modules()):
        raise UserError(
            "sync_bn='torch' is for GPUs: torch's SyncBatchNorm does not train on a CPU; "
            'leave it out: --cfg-options sync_bn=None'
        )


def _named(loop: BaseLoop | dict, kind: str) -> BaseLoop | dict:
    return dict(type=kind, **loop) if isinstance(loop, Mapping) and 'type' not in loop else loop


def _backend_names(visualizer: Mapping) -> list[str]:
    backends = visualizer.get('vis_backends') or []
    backends = [backends] if isinstance(backends, Mapping) else backends
    described = [backend for backend in backends if isinstance(backend, Mapping)]
    return [backend.get('name') or _class_name(backend['type']) for backend in described]


def _class_name(kind: str | type) -> str:
    return kind.rpartition('.')[2] if isinstance(kind, str) else kind.__name__


@contextmanager
def _naming_disk(folder: str) -> Iterator[None]:
    """Give an error of a full disk, which does not say whose, the name of the folder if it is.

    Raises:
        UserError: the folder is gone.
    """
    try:
        yield
    except OSError as error:
        _check_still_there(folder)
        if error.filename is None and (
            error.errno == errno.EDQUOT
            or (error.errno == errno.ENOSPC and shutil.disk_usage(folder).free < _MIB)
        ):
            error.filename = folder
        raise


def _check_still_there(folder: str) -> None:
    """Complain of a folder that was there; one made anew may be on another disk."""
    if not Path(folder).is_dir():
        raise UserError(
            f'{folder} is gone: it was deleted, or its disk was taken away. If it comes back, '
            '--resume goes on from what is in it'
        )
