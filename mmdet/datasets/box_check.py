"""Whether a file's boxes are what COCO means by a box: x, y, width and height, around the mask.

A program that writes x1, y1, x2, y2 instead is not noticed box by box, since its boxes are boxes
too; but then most of them lie elsewhere than their masks. Some that do so are no sign: a box may
be drawn around what of an object is hidden.
"""

from collections.abc import Sequence

from .segmentation_check import Extent


class BoxCheck:
    """Counts boxes that lie around their masks, and those that do not.

    Attributes:
        strange: which annotation's box was the first that did not.
    """

    def __init__(self) -> None:
        self.strange = ''
        self._num_fitting = 0
        self._num_strange = 0
        self._num_corners = 0

    def fits(self, box: Sequence[float], extent: Extent) -> bool:
        """Count a box; say whether it lies around its mask.

        Args:
            box: x, y, width, height.
            extent: x1, y1, x2, y2 of the mask.
        """
        x, y, width, height = box
        x1, y1, x2, y2 = extent
        start = abs(x - x1) + abs(y - y1)
        error = start + abs(x + width - x2) + abs(y + height - y2)
        as_corners = start + abs(width - x2) + abs(height - y2)
        size = x2 - x1 + y2 - y1
        close, near = 4 + 0.1 * size, 8 + 0.5 * size
        if error > close and as_corners <= close:
            self._num_corners += 1
        elif error <= near:
            self._num_fitting += 1
            return True
        self._num_strange += 1
        return False

    def why_refused(self) -> str | None:
        """Return why a file is refused, if most of its boxes do not lie around their masks."""
        total = self._num_fitting + self._num_strange
        if self._num_strange <= self._num_fitting:
            return None
        seem = (
            '; they seem to be x1, y1, x2, y2' if 2 * self._num_corners > self._num_strange else ''
        )
        return (
            f'{self._num_strange} of {total} boxes do not lie around their masks (first: '
            f'{self.strange}){seem}; COCO\'s "bbox" is x, y, width, height in pixels: correct it, '
            'or leave it out, and it is taken from the mask'
        )
