"""COCO's form, filled by the readers of other formats."""

from collections.abc import Mapping, Sequence

from mmdet.datasets.coco_annotations import PLACE, UNUSABLE
from mmdet.datasets.coco_file import CocoFile, accepted
from mmdet.datasets.findings import LEFT_OUT, REFUSED, Findings


class Content:
    """What a reader found, which `checked` then holds against the same rules as a COCO file.

    Args:
        source: what messages call the data set.
        categories: the name of each category id.
        findings: that there are already.

    Attributes:
        findings: what the reader repaired and left out by itself goes here.
    """

    def __init__(
        self, source: str, categories: Mapping[int, str], findings: Findings | None = None
    ) -> None:
        self.source = source
        self.findings = findings or Findings()
        self._images: list[dict] = []
        self._annotations: list[dict] = []
        self._categories = [dict(id=key, name=name) for key, name in categories.items()]

    def add_image(self, file_name: str, height: int, width: int) -> int:
        """Add an image, and return its id: they count from 1.

        Args:
            file_name: in the folder of the images, or absolute.
            height: in pixels.
            width: in pixels.
        """
        number = len(self._images) + 1
        self._images.append(dict(id=number, file_name=file_name, height=height, width=width))
        return number

    def add_object(
        self,
        image_id: int,
        category_id: int,
        segmentation: Sequence[Sequence[float]] | Mapping | None,
        *,
        place: str,
        iscrowd: bool = False,
        unusable: str | None = None,
    ) -> None:
        """Add an object.

        Args:
            image_id: of its image.
            category_id: of its category; of one that there is none of, it is left out.
            segmentation: COCO's, polygons or RLE, in pixels.
            place: where it stands, for messages.
            iscrowd: nothing is learned from it, and what is found in it is not wrong.
            unusable: why it is left out, to be read behind a number of annotations.
        """
        annotation = dict(
            id=len(self._annotations) + 1,
            image_id=image_id,
            category_id=category_id,
            segmentation=segmentation,
            iscrowd=int(iscrowd),
        )
        self._annotations.append(annotation | {PLACE: place})
        if unusable is not None:
            self._annotations[-1][UNUSABLE] = unusable

    def checked(self) -> CocoFile:
        """Return what of it can be used; boxes and areas are the masks'.

        Raises:
            UserError: it is refused as a whole; see `coco_file.py`.
        """
        content = dict(
            images=self._images, annotations=self._annotations, categories=self._categories
        )
        return accepted(content, self.source, self.findings)


def leave_out_image(findings: Findings, path: str, why: str, *, refused: bool) -> None:
    """Leave an image out, since a file of it cannot be used, or refuse the data set.

    Args:
        findings: what is said of it goes here.
        path: of the file.
        why: to be read behind the path.
        refused: figures without the image would be those of other data.
    """
    if refused:
        findings.add(REFUSED, why, path)
    else:
        findings.add(LEFT_OUT, f'images with a file that {why}', path)
