"""The images that a training could not use: counted over all processes, and listed at its end.

Checkpoints keep the list, so that it is that of the whole training, however often it was stopped.

What is repaired in annotations that are read image by image is counted, too, in this run and by
the first process alone: the others read images of the same set.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from mmengine.dist import is_distributed, is_main_process
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmdet.datasets.findings import Findings
from mmdet.datasets.met_findings import MetFinding, sentence
from mmdet.datasets.unusable_image import UnusableImage
from mmdet.errors import UserError

from .host_group import host_group
from .placed_data import PlacedLoader
from .stopping import save_now

_KEY = 'unusable_images'


class UnusableImages:
    """The list of a training.

    Args:
        runner: of the training; its checkpoints keep the list.
        loader: of the training.
    """

    def __init__(self, runner: Runner, loader: DataLoader) -> None:
        self._runner = runner
        self._loader = loader
        self._met: dict[str, set[str]] = defaultdict(set)  # paths by annotation files, in this run
        self._findings: dict[str, Findings] = defaultdict(Findings)  # by data sets, in this run

    def collect(self) -> None:
        """After a batch was loaded, and before it is trained on: note what was not used for it.

        All processes call it at the same step.

        Raises:
            UserError: more than a data set allows are unusable; the step is saved before.
        """
        if not isinstance(self._loader, PlacedLoader):
            return
        self._count(self._loader.take_findings())
        new = _of_all_processes(self._loader.take_unusable())
        if not new:
            return
        listed = dict(self._listed())
        if not listed:
            self._runner.logger.warning(
                f'{new[0].reason}. Another image takes its place; all that are so are listed at '
                'the end'
            )
        listed |= {image.path: image.reason for image in new}
        # Lists and texts alone: it goes into checkpoints.
        hub = self._runner.message_hub
        hub.update_info(_KEY, [list(item) for item in listed.items()])
        for image in new:
            if image.ann_file:
                self._met[image.ann_file].add(image.path)
                self._check_limit(image)

    def _count(self, new: Sequence[MetFinding]) -> None:
        for each in new:
            kind = each.effect, each.what
            findings = self._findings[each.source]
            if kind not in ((known.effect, known.what) for known in findings.counted()):
                self._runner.logger.warning(sentence(*each))
            findings.add(*kind, each.where)

    def _check_limit(self, image: UnusableImage) -> None:
        number = len(self._met[image.ann_file])
        if number <= image.limit:
            return
        saved = save_now(self._runner)
        if is_distributed():
            dist.barrier(group=host_group())  # what started them takes the first end for a fault
        raise UserError(
            f'{image.ann_file}: {number} of its {image.of} images, as far as they were met, cannot '
            f'be used, and more than {image.limit} (max_unusable of the data set) are too many; '
            f'the last: {image.reason}. After {self._runner.iter} iterations, {saved}'
        )

    @contextmanager
    def listed_at_end(self) -> Iterator[None]:
        """Say which they were when the block ends, in whichever way it does."""
        try:
            yield
        finally:
            for source, findings in self._findings.items():
                self._runner.logger.warning(
                    f'{source}, as often as it was read: {findings.summary()}'
                )
            listed = self._listed()
            if listed and is_main_process():
                self._runner.logger.warning(
                    '\n'.join(
                        [
                            f'{len(listed)} images could not be used in this training, and others '
                            'took their places:',
                            *(reason for _, reason in sorted(listed)),
                        ]
                    )
                )

    def _listed(self) -> list[list[str]]:
        return self._runner.message_hub.runtime_info.get(_KEY, [])


def _of_all_processes(own: Sequence[UnusableImage]) -> list[UnusableImage]:
    """Return what all processes give, in the order of their ranks."""
    if not is_distributed():
        return list(own)
    number = torch.tensor(len(own))
    dist.all_reduce(number, group=host_group())
    if not number:  # nearly always
        return []
    gathered: list[list[UnusableImage]] = [[] for _ in range(dist.get_world_size())]
    dist.all_gather_object(gathered, list(own), group=host_group())
    return [image for images in gathered for image in images]
