"""`--auto-batch`: the largest batch that fits, found by trying."""

import multiprocessing
from collections.abc import Callable
from typing import NamedTuple

from mmengine.config import Config

from mmdet.errors import UserError

from .trial import DoesNotFit, Failed, Fits, Ready, serve


class Found(NamedTuple):
    """The largest batch that fits.

    Attributes:
        images: how many.
        fitting: all numbers of images that were tried and fitted.
        too_many: all that did not.
        last: what the trial of the largest said.
        ready: what the trials said first.
    """

    images: int
    fitting: list[int]
    too_many: list[int]
    last: Fits
    ready: Ready


def set_batch_size(cfg: Config, *, processes: int = 1) -> None:
    """Set `train_dataloader.batch_size` to the largest that fits, and say so.

    Args:
        cfg: a checked config of a training, changed in place.
        processes: of the training, each of which takes such a batch.

    Raises:
        UserError: not one image fits, no training is possible, or the sampler has a batch size of
            its own.
    """
    if 'batch_size' in cfg.train_dataloader.sampler:
        raise UserError(
            f'--auto-batch: train_dataloader.sampler, {cfg.train_dataloader.sampler["type"]}, puts '
            'batches of its own size together: set both batch_size by hand'
        )
    before = cfg.train_dataloader.get('batch_size')
    found = find_batch_size(cfg, processes=processes)
    cfg.train_dataloader.batch_size = found.images
    print(described(found), flush=True)
    if said := of_learning_rate(cfg, before=before, processes=processes):
        print(said, flush=True)


def find_batch_size(cfg: Config, *, processes: int = 1) -> Found:
    """Find the largest batch that fits; see `set_batch_size`."""
    trials = _Trials(cfg, processes)
    try:
        most = max(1, trials.ready.images // processes)
        images = largest(trials.fit, most)
        if images == 0:
            *lines, _ = trials.said.splitlines()
            raise UserError('\n'.join([*lines, '--auto-batch: not even one image fits, see above']))
        assert trials.last is not None
        return Found(images, trials.fitting, trials.too_many, trials.last, trials.ready)
    finally:
        trials.end()


def largest(fits: Callable[[int], bool], most: int) -> int:
    """Return the largest number for which something holds, to a sixteenth; 0 if for none.

    Powers of two are tried first, then the middle between what holds and what does not.

    Args:
        fits: whether it holds; if for a number, then for all that are smaller.
        most: the largest to try, at least 1.

    Examples:
        >>> largest(lambda number: number <= 13, 100)
        13
    """
    low, high = 0, 1
    while high <= most and fits(high):
        low, high = high, 2 * high
        if low < most < high:
            high = most
            if fits(most):
                return most
            break
    high = min(high, most + 1)
    while high - low > max(1, low // 16):
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low


def described(found: Found) -> str:
    """Return a line that says what was tried and what was chosen."""
    height, width = found.last.size
    tried = f'{_listed(found.fitting)} images fit' if found.images > 1 else '1 image fits'
    if found.too_many:
        verb = 'do' if len(found.too_many) > 1 else 'does'
        tried += f', {_listed(found.too_many)} {verb} not'
    else:
        tried += ', which is all there are'
    memory = f'{found.last.used / 1e9:.1f} of {found.ready.memory / 1e9:.1f} GB'
    return (
        f'--auto-batch: {tried}: train_dataloader.batch_size={found.images} '
        f'({height} x {width}, {found.last.instances} instances, {memory} of {found.ready.of})'
    )


def of_learning_rate(cfg: Config, *, before: int | None, processes: int) -> str | None:
    """Return a line about a learning rate that is for another number of images a step.

    Args:
        cfg: with the batch size that was found.
        before: the batch size that the config had.
        processes: of the training.
    """
    images = cfg.train_dataloader.batch_size * processes
    scaling = cfg.get('auto_scale_lr') or {}
    base = scaling.get('base_batch_size') or (before or 0) * processes
    if base == images:
        return None
    if scaling.get('enable'):
        return f'The learning rate is scaled from {base} images a step to {images}'
    how = '--auto-scale-lr scales it' if scaling else 'set optim_wrapper.optimizer.lr'
    return f'The learning rate stays as it is, for {base} images a step, not for {images}: {how}'


def _listed(numbers: list[int]) -> str:
    *first, last = map(str, sorted(numbers))
    return f'{", ".join(first)} and {last}' if first else last


class _Trials:
    """Trials in processes of their own; one lasts until a batch does not fit.

    Args:
        cfg: of the training.
        processes: of the training.

    Attributes:
        fitting: the numbers of images that fitted.
        too_many: those that did not.
        ready: what the last process said first.
        last: what was said of the largest that fitted.
        said: of the last that did not.
    """

    def __init__(self, cfg: Config, processes: int) -> None:
        self._settings, self._processes = cfg.to_dict(), processes
        self.fitting: list[int] = []
        self.too_many: list[int] = []
        self.last: Fits | None = None
        self.said = ''
        self.ready = self._begin()

    def fit(self, images: int) -> bool:
        """Return whether a batch of so many images fits."""
        if not self._process.is_alive():
            self._begin()
        self._pipe.send(images)
        answer = self._answer()
        if isinstance(answer, Fits):
            self.fitting.append(images)
            if images == max(self.fitting):
                self.last = answer
            return True
        assert isinstance(answer, DoesNotFit)
        self.said = answer.said
        self.too_many.append(images)
        self.end()
        return False

    def end(self) -> None:
        """End the process, if there is one."""
        self._pipe.close()
        self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _begin(self) -> Ready:
        # Nothing of this process is in one that is spawned, a GPU's context least of all.
        context = multiprocessing.get_context('spawn')
        self._pipe, other = context.Pipe()
        arguments = (other, self._settings, self._processes)
        self._process = context.Process(target=serve, args=arguments, daemon=False)
        self._process.start()
        other.close()
        try:
            answer = self._answer()
        except BaseException:
            self.end()
            raise
        assert isinstance(answer, Ready)  # nothing was asked yet
        return answer

    def _answer(self) -> Ready | Fits | DoesNotFit:
        try:
            answer = self._pipe.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            if self._process.exitcode == -9:
                return DoesNotFit('the system has ended the trial, as it does when memory runs out')
            raise UserError('--auto-batch: a training of one batch failed, see above') from None
        if isinstance(answer, Failed):
            raise UserError(answer.said)
        return answer
