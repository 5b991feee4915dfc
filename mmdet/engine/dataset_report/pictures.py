"""The image files of the parts: can they be used, and do they stand in two parts."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations

from mmdet.datasets.image_header import ImageFile, check_image_files
from mmdet.datasets.near_duplicates import Twins, are_alike, find_twins, hash_images

from .parts import Part

_LISTED = 100  # of the files that cannot be used
_THREADS = 4


@dataclass
class Pictures:
    """What of a part's images is wanted when the other parts have been read.

    Attributes:
        name: of the part.
        stages: that read it.
        paths: of the B images.
        hashes: of each, None where there is none; see `hash_images`.
    """

    name: str
    stages: list[str]
    paths: list[str]
    hashes: list[int | None]


def look_at_files(part: Part) -> dict | None:
    """Return which image files cannot be used; None where they are on no local disk."""
    if not part.is_local:
        return None
    files = [
        ImageFile(path, (height, width))
        for path, (height, width) in zip(part.paths, part.sizes.tolist(), strict=True)
    ]
    found = zip(part.paths, check_image_files(files), strict=True)
    unusable = [dict(image=path, why=str(error)) for path, error in found if error is not None]
    return dict(looked_at=len(files), unusable=len(unusable), first=unusable[:_LISTED])


def take_pictures(part: Part) -> Pictures:
    """Return the hashes of a part's images, which must be on a local disk."""
    sizes = [(height, width) for height, width in part.sizes.tolist()]
    return Pictures(part.name, part.stages, part.paths, list(hash_images(part.paths, sizes)))


def twins_between(parts: Sequence[Pictures]) -> list[dict]:
    """Return for each two parts of different stages which images stand in both."""
    found: list[dict] = []
    for one, other in combinations(parts, 2):
        if set(one.stages) & set(other.stages):
            continue
        # An image of the smaller part is looked for in the larger.
        few, many = sorted((one, other), key=lambda part: len(part.paths))
        pairs = _alike(few, many)
        found.append(
            dict(
                parts=[few.name, many.name],
                stages=[few.stages, many.stages],
                images=len(few.paths),
                twins=len(pairs),
                pairs=[
                    dict(
                        images=[few.paths[pair.one], many.paths[pair.other]],
                        distance=pair.distance,
                    )
                    for pair in pairs
                ],
            )
        )
    return found


def _alike(few: Pictures, many: Pictures) -> list[Twins]:
    """Return the twins that a second look confirms, the nearest first."""
    pairs = find_twins(few.hashes, many.hashes)
    with ThreadPoolExecutor(_THREADS) as threads:
        alike = threads.map(
            are_alike,
            (few.paths[pair.one] for pair in pairs),
            (many.paths[pair.other] for pair in pairs),
        )
        pairs = [pair for pair, confirmed in zip(pairs, alike, strict=True) if confirmed]
    return sorted(pairs, key=lambda pair: (pair.distance, pair.one))
