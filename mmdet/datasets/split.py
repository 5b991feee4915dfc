"""Dividing a data set into parts, image by image."""

import random
from collections import Counter
from collections.abc import Sequence

from .coco_file import CocoFile
from .coco_values import Identifier

_NOTHING = object()  # the category of images without objects


def split_images(coco: CocoFile, shares: Sequence[float], seed: int) -> list[list[Identifier]]:
    """Return the ids of the images of each part, in the order of the file.

    Images of the rarest category are dealt out first, to the part that lacks most of its share of
    it, so that each category is in each part where it is in enough images. This is iterative
    stratification (Sechidis et al., 2011, https://doi.org/10.1007/978-3-642-23808-6_10), counting
    images. Images without objects come before all, so that none is left for a small part alone.
    The parts differ from their shares by less than two images, and each has one at least where
    there are enough.

    Args:
        coco: the data set.
        shares: of the parts, which add up to 1.
        seed: the same gives the same parts, whatever the order of the annotations.

    Raises:
        ValueError: the shares do not add up to 1, or one is not above 0.
    """
    if abs(sum(shares) - 1) > 1e-6 or min(shares) <= 0:
        raise ValueError(f'shares {tuple(shares)} are to be above 0, and to add up to 1')
    order = [image['id'] for image in coco.images]
    room = _sizes(len(order), shares)
    found: dict[Identifier, set[Identifier]] = {identifier: set() for identifier in order}
    for annotation in coco.annotations:
        found[annotation['image_id']].add(annotation['category_id'])
    categories = {each: found[each] or {_NOTHING} for each in order}
    left = [*order]
    random.Random(seed).shuffle(left)
    counts = Counter(each for identifier in left for each in categories[identifier])
    wanted = [{key: share * number for key, number in counts.items()} for share in shares]
    part_of: dict[Identifier, int] = {}
    while left:
        rest = Counter(each for identifier in left for each in categories[identifier])
        rarest = min(rest, key=lambda key: (key is not _NOTHING, rest[key], str(key)))
        dealt = [each for each in left if rarest in categories[each]]
        for identifier in dealt:
            free = [part for part, number in enumerate(room) if number > 0]
            lacks = [(wanted[part][rarest], room[part], -part) for part in free]
            part = free[lacks.index(max(lacks))]
            part_of[identifier] = part
            room[part] -= 1
            for key in categories[identifier]:
                wanted[part][key] -= 1
        left = [each for each in left if each not in part_of]
    return [[each for each in order if part_of[each] == part] for part in range(len(shares))]


def _sizes(number: int, shares: Sequence[float]) -> list[int]:
    """Return how many of a number each part gets; each gets one if there are enough."""
    sizes = [int(number * share) for share in shares]
    by_rest = sorted(range(len(shares)), key=lambda part: sizes[part] - number * shares[part])
    for part in by_rest[: number - sum(sizes)]:
        sizes[part] += 1
    for part, size in enumerate(sizes):
        if size == 0 and max(sizes) > 1:
            sizes[sizes.index(max(sizes))] -= 1
            sizes[part] = 1
    return sizes
