"""Where in its data a training is: noted in its checkpoints, and found again when it resumes."""

import dataclasses

from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_world_size
from mmengine.logging import MessageHub
from torch.utils.data import DataLoader

_KEY = 'place_in_data'


@dataclasses.dataclass(frozen=True)
class Place:
    """The pass over the data that a training is in.

    Attributes:
        epoch: its number from 0; over iterations, how often the sampler has come to its end.
        first_iter: the iteration that it began with.
        images: how many all processes together take at a step.
    """

    epoch: int
    first_iter: int
    images: int


def note_place(hub: MessageHub, place: Place) -> None:
    """Note a place where checkpoints keep it, from the beginning of a pass over the data on."""
    hub.update_info(_KEY, dataclasses.asdict(place))


def noted_place(hub: MessageHub) -> Place | None:
    """Return what a checkpoint said, or None if it was none of `note_place`."""
    noted = hub.runtime_info.get(_KEY)
    return None if noted is None else Place(**noted)


def images_of_step(loader: DataLoader) -> int:
    """Return how many images all processes together take at a step; 0 if the loader cannot say."""
    return (getattr(loader.batch_sampler, 'batch_size', None) or 0) * get_world_size()


def same_images(place: Place, *, images: int, iteration: int) -> Place:
    """Return the place after as many images of the same pass, in steps of another size.

    Examples:
        >>> same_images(Place(epoch=1, first_iter=100, images=8), images=16, iteration=110)
        Place(epoch=1, first_iter=105, images=16)
    """
    done = (iteration - place.first_iter) * place.images // images if images else 0
    return Place(epoch=place.epoch, first_iter=iteration - done, images=images)


def place_in_epochs(loader: DataLoader, *, epoch: int, iteration: int) -> Place:
    """Return where a training over epochs is by its counters, if all epochs were as long."""
    begin = epoch * len(loader)
    inside = 0 <= iteration - begin <= len(loader)
    return Place(epoch, begin if inside else iteration, images_of_step(loader))


def place_in_iterations(loader: DataLoader, *, iteration: int) -> Place:
    """Return where a training over iterations is by its counter."""
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    epoch = 0 if isinstance(sampler, InfiniteSampler) else iteration // len(loader)
    return Place(epoch, epoch * len(loader), images_of_step(loader))
