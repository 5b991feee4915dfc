"""What of a data set only COCO's format can say."""

from mmdet.datasets.coco_annotations import place
from mmdet.datasets.coco_values import is_set
from mmdet.datasets.findings import LEFT_OUT, Findings


def is_object(annotation: dict, findings: Findings) -> bool:
    """Return whether an annotation is an object to learn, which is all that other formats hold.

    A crowd says where nothing is to be learned; written as an object it would teach a wrong one.

    Args:
        annotation: COCO's.
        findings: what is left out goes here.
    """
    for key, what in (('iscrowd', 'crowds'), ('ignore', 'objects marked "ignore"')):
        if is_set(annotation.get(key)):
            findings.add(LEFT_OUT, f'{what}, which the format cannot hold', place(annotation))
            return False
    return True
