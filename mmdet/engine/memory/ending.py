"""A batch that does not fit: what it was, what takes less, and a checkpoint of the step before."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.dist import is_distributed
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmdet.engine.placed_data import images_at
from mmdet.engine.stopping import leave_validation, save_now
from mmdet.engine.wrapper import unwrapped

from .advice import advice
from .batch import describe, images_of
from .before_step import BeforeStep, is_accumulating, wrappers_in
from .exhausted import BatchTooLargeError, is_out_of_memory


@contextmanager
def saving_if_it_does_not_fit(runner: Runner, batch: object) -> Iterator[None]:
    """Around a step of a training: if memory runs out, save what the step found, and say so.

    Processes cannot agree on it, as the others wait for this one in the middle of the step: it
    saves by itself. All have the same weights; only running statistics are each process's own.

    Raises:
        BatchTooLargeError: memory ran out.
    """
    before = BeforeStep(runner.model, runner.optim_wrapper)
    try:
        yield
        return
    except Exception as error:
        said = _let_go(error)
    outcome = _save(runner) if before.put_back() else _LOST.format('the step had changed it')
    raise _ending(
        f'step {runner.iter + 1}, of', outcome, batch, runner, said=said, stage='train'
    ) from None


@contextmanager
def saving_if_it_cannot_be_validated(runner: Runner, batch: object) -> Iterator[None]:
    """Around a step of a validation: as `saving_if_it_does_not_fit`.

    Raises:
        BatchTooLargeError: memory ran out.
    """
    try:
        yield
        return
    except Exception as error:
        said = _let_go(error)
    leave_validation(runner)
    outcome = _save(runner)
    raise _ending('the validation, at', outcome, batch, runner, said=said, stage='val') from None


@contextmanager
def saying_if_it_cannot_be_tested(runner: Runner, batch: object) -> Iterator[None]:
    """Around a step of a test: as `saving_if_it_does_not_fit`, with nothing to save.

    Raises:
        BatchTooLargeError: memory ran out.
    """
    try:
        yield
        return
    except Exception as error:
        said = _let_go(error)
    outcome = 'take less by one of the above'
    raise _ending('the test, at', outcome, batch, runner, said=said, stage='test') from None


def saving_if_they_cannot_be_loaded(
    runner: Runner, batches: Iterator, loader: DataLoader
) -> Iterator:
    """Yield the batches of a training: as `saving_if_it_does_not_fit` where none can be loaded.

    Raises:
        BatchTooLargeError: memory ran out.
    """
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except Exception as error:
            said = _let_go(error)
            break
        yield batch
    names = ', '.join(images_at(loader)) or 'an image'
    lines = [said, *advice(runner.cfg, stage='load')]
    lines.append(f'out of memory in loading {names}: {_save(runner)}')
    raise BatchTooLargeError('\n'.join(lines))


def _let_go(error: Exception) -> str:
    """Return what an error says, and free what the functions that it came through hold.

    Raises:
        Exception: the error, if it is not that memory ran out.
    """
    if not is_out_of_memory(error):
        raise error
    said = str(error).strip().splitlines()
    traceback.clear_frames(error.__traceback__)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return said[0] if said else type(error).__name__


_LOST = 'this step cannot be saved, as {}; --resume goes on from the last checkpoint'


def _save(runner: Runner) -> str:
    """Save, and return in words what became of it."""
    if is_distributed() and any(map(is_accumulating, wrappers_in(runner.optim_wrapper))):
        return _LOST.format('other processes have gradients that are half accumulated')
    try:
        return save_now(runner, alone=True)
    except Exception as error:  # whatever it is, memory is what ended the training
        return _LOST.format(str(error).strip().splitlines()[-1])


def _ending(
    where: str, outcome: str, batch: object, runner: Runner, *, said: str, stage: str
) -> BatchTooLargeError:
    images = images_of(batch)
    instances = sum(image.instances or 0 for image in images)
    preprocessor = getattr(unwrapped(runner.model), 'data_preprocessor', None)
    lines = [said, *describe(images, preprocessor), *advice(runner.cfg, stage=stage)]
    size = f'{len(images)} images with {instances} instances'
    lines.append(f'out of memory in {where} {size} (see above): {outcome}')
    return BatchTooLargeError('\n'.join(lines))
