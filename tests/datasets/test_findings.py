from mmdet.datasets.findings import (
    LEFT_OUT,
    NOTICED,
    REFUSED,
    REPAIRED,
    Finding,
    Findings,
    ListedFindings,
)


def test_each_kind_is_counted_and_the_first_named():
    findings = Findings()
    assert findings.summary() == ''
    findings.add(REPAIRED, 'without an area', 'annotation 9')
    for number in range(3):
        findings.add(LEFT_OUT, 'without a mask', f'annotation {number}')
    findings.add(LEFT_OUT, 'outside', 'annotation 7')
    assert findings.summary() == (
        '4 left out: 3 without a mask (first: annotation 0), 1 outside (first: annotation 7); '
        '1 repaired: 1 without an area (first: annotation 9)'
    )
    assert [tuple(each) for each in findings.counted()] == [
        (LEFT_OUT, 'without a mask', 3, 'annotation 0'),
        (LEFT_OUT, 'outside', 1, 'annotation 7'),
        (REPAIRED, 'without an area', 1, 'annotation 9'),
    ]
    assert findings.count(LEFT_OUT) == 4
    assert findings.count(NOTICED) == 0


def test_the_most_frequent_comes_first():
    findings = Findings()
    findings.add(LEFT_OUT, 'rare', 'a')
    findings.add(LEFT_OUT, 'frequent', 'b')
    findings.add(LEFT_OUT, 'frequent', 'c')
    assert findings.summary() == '3 left out: 2 frequent (first: b), 1 rare (first: a)'


def test_the_first_refused_is_said_with_how_many_more():
    findings = ListedFindings()
    assert findings.first_refused() is None
    findings.add(LEFT_OUT, 'without a mask', 'annotation 7')
    findings.add(REFUSED, 'has no file_name', 'image 3')
    assert findings.first_refused() == 'image 3 has no file_name'
    findings.add(REFUSED, 'has no file_name', 'image 4')
    assert findings.first_refused() == (
        'image 3 has no file_name (and 1 more, which check-coco lists)'
    )


def test_all_can_be_listed():
    findings = ListedFindings()
    findings.add(LEFT_OUT, 'without a mask', 'annotation 7', image=3)
    findings.add(LEFT_OUT, 'without a mask', 'annotation 8', image=4)
    assert findings.all == [
        Finding(LEFT_OUT, 'without a mask', 'annotation 7', 3),
        Finding(LEFT_OUT, 'without a mask', 'annotation 8', 4),
    ]
    assert findings.count(LEFT_OUT) == 2
