"""How large a batch is, in words."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mmengine.structures import BaseDataElement
from torch import Tensor, nn

_LISTED = 16


class Image(NamedTuple):
    """An image of a batch.

    Attributes:
        name: of its file, or where in the batch it is.
        size: (height, width) after the transforms.
        instances: how many are annotated; None in testing.
    """

    name: str
    size: tuple[int, int]
    instances: int | None


def images_of(batch: object) -> list[Image]:
    """Return the images of a batch as a loader collates it; none of one in another form."""
    if not isinstance(batch, Mapping):
        return []
    inputs, samples = batch.get('inputs'), batch.get('data_samples')
    if not isinstance(inputs, Tensor | Sequence) or not isinstance(samples, Sequence):
        return []
    found = []
    for index, (image, sample) in enumerate(zip(inputs, samples, strict=False)):
        height, width = image.shape[-2:]
        annotated = sample.get('gt_instances') if isinstance(sample, BaseDataElement) else None
        instances = None if annotated is None else len(annotated)
        name = str(sample.get('img_path', f'image {index}'))
        found.append(Image(name, (height, width), instances))
    return found


def describe(images: Sequence[Image], preprocessor: nn.Module | None) -> list[str]:
    """Return lines that tell the sizes of a batch and of its images, those with most first.

    Args:
        images: those of the batch.
        preprocessor: which pads them.
    """
    padded_size = getattr(preprocessor, 'padded_size', None)
    whole = ''
    if callable(padded_size) and images:
        height, width = padded_size([image.size for image in images])
        whole = f', {len(images)} x 3 x {height} x {width} when padded'
    lines = [f'The batch{whole}:']
    by_weight = sorted(images, key=lambda each: (-(each.instances or 0), -each.size[0]))
    lines += [f'    {in_words(image)}  {image.name}' for image in by_weight[:_LISTED]]
    if len(images) > _LISTED:
        lines.append(f'    and {len(images) - _LISTED} more')
    return lines


def in_words(image: Image) -> str:
    """Return an image's size and how many instances it has.

    Examples:
        >>> in_words(Image(name="a.jpg", size=(800, 1333), instances=7))
        '800 x 1333, 7 instances'
    """
    height, width = image.size
    count = '' if image.instances is None else f', {image.instances} instances'
    return f'{height} x {width}{count}'
