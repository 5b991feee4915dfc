from mmdet.datasets.conversion.objects import is_object
from mmdet.datasets.findings import Findings


def test_what_is_to_be_learned():
    findings = Findings()
    plain = dict(id=1, image_id=2, iscrowd=0)
    assert is_object(plain, findings)
    assert is_object({**plain, 'ignore': 0}, findings)
    assert not is_object({**plain, 'iscrowd': 1}, findings)
    assert not is_object({**plain, 'ignore': 1}, findings)
    assert findings.summary() == (
        '2 left out: 1 crowds, which the format cannot hold (first: annotation 1 of image 2), '
        '1 objects marked "ignore", which the format cannot hold (first: annotation 1 of image 2)'
    )
