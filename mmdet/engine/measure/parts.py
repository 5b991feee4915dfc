"""What the parts of a step are: which function of which object is which part.

The model knows nothing of it: the functions are exchanged from outside while something is measured.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from mmengine.evaluator import Evaluator
from mmengine.runner import Runner

import mmdet.models.heads.base_solo_head as decoding
import mmdet.models.postprocess as instances
from mmdet.engine.wrapper import unwrapped
from mmdet.errors import UserError
from mmdet.models.detectors import SOLO

from .stopwatch import Stopwatch, timed

LOOP = 'loop and hooks'  # of mmengine, the logger among them: all that is no other part
DATA = 'data'
FIGURES = 'figures'  # over all images, of which each was matched before

# (what has the function, its name, the part)
_PLAIN = (
    ('backbone', 'forward', 'backbone'),
    ('neck', 'forward', 'neck'),
)
# A compiler would look into what is exchanged inside of a part that it compiles.
_COMPILED = (('detector', 'extract_feat', 'backbone and neck'),)
_NETWORK = (
    ('preprocessor', 'forward', 'to the device, padding'),
    ('head', 'forward', 'head: categories'),
    ('head', 'mask_source', 'head: mask features'),
    ('head', 'kernels', 'head: mask features'),  # SOLOv2's, as the next
    ('head', 'compute_mask_feature', 'head: mask features'),
    ('head', 'learnt_masks', 'head: masks of cells'),
    ('head', 'cell_masks', 'head: masks of cells'),
)
_TRAINING = (
    ('model', 'train_step', 'step, the rest'),
    ('head', 'targets', 'targets'),
    *_NETWORK,
    ('head', 'loss', 'losses'),
    ('optim_wrapper', 'backward', 'backward'),
    ('optim_wrapper', 'step', 'optimizer'),
    ('optim_wrapper', 'zero_grad', 'optimizer'),
)
_TEST = (
    ('model', 'test_step', 'step, the rest'),
    *_NETWORK,
    ('head', 'cell_probabilities', 'head: masks of cells'),
    ('decoding', 'decode', 'decoding'),
    ('instances', 'matrix_nms', 'Matrix NMS'),
    ('instances', 'masks_to_rle', 'encoding'),
    ('evaluator', 'process', 'matching'),
    ('evaluator', 'evaluate', FIGURES),
)


@contextmanager
def parts_of_training(runner: Runner, stopwatch: Stopwatch) -> Iterator[None]:
    """Tell the parts of a runner's training apart; its loop and its optimizer are there."""
    owners = _owners(runner) | dict(optim_wrapper=runner.optim_wrapper)
    features = _COMPILED if runner.cfg.get('compile') else _PLAIN
    with _timed(stopwatch, owners, (*_TRAINING, *features)):
        yield


@contextmanager
def parts_of_test(runner: Runner, stopwatch: Stopwatch) -> Iterator[None]:
    """Tell the parts of a runner's test apart; its loop is there."""
    evaluator = getattr(runner.test_loop, 'evaluator', None)
    if not isinstance(evaluator, Evaluator):
        raise UserError('the test loop has no evaluator, whose part would be measured')
    owners = _owners(runner) | dict(evaluator=evaluator, decoding=decoding, instances=instances)
    with _timed(stopwatch, owners, (*_TEST, *_PLAIN)):
        yield


def detector_of(runner: Runner) -> SOLO:
    """Return a runner's detector.

    Raises:
        UserError: it is another model, of whose parts nothing is known.
    """
    detector = unwrapped(runner.model)
    if not isinstance(detector, SOLO):
        raise UserError(f'only a SOLO can be measured by its parts, no {type(detector).__name__}')
    return detector


def _owners(runner: Runner) -> dict[str, object]:
    detector = detector_of(runner)
    return dict(
        model=runner.model,
        detector=detector,
        preprocessor=detector.data_preprocessor,
        backbone=detector.backbone,
        neck=detector.neck,
        head=detector.mask_head,
    )


@contextmanager
def _timed(
    stopwatch: Stopwatch, owners: dict[str, object], parts: tuple[tuple[str, str, str], ...]
) -> Iterator[None]:
    with ExitStack() as stack:
        for owner, name, part in parts:
            if not hasattr(owners[owner], name):
                continue
            stack.enter_context(timed(stopwatch, owners[owner], name, part))
        yield


class TimedLoader:
    """A data loader, the wait for whose batches is a part.

    Args:
        loader: whatever else is asked is its own.
        stopwatch: that times it.
    """

    def __init__(self, loader: object, stopwatch: Stopwatch) -> None:
        self._loader = loader
        self._stopwatch = stopwatch

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)

    def __len__(self) -> int:
        """Return how many batches an epoch has."""
        return len(self._loader)  # pyrefly: ignore[bad-argument-type]: of which kind is unknown

    def __iter__(self) -> Iterator:
        batches = iter(self._loader)  # pyrefly: ignore[no-matching-overload]: likewise
        while True:
            with self._stopwatch.part(DATA):
                batch = next(batches, self)
            if batch is self:
                return
            yield batch
