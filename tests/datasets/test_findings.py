from mmdet.datasets.findings import LEFT_OUT, NOTICED, REPAIRED, Findings


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
    assert findings.count(LEFT_OUT) == 4
    assert findings.count(NOTICED) == 0


def test_the_most_frequent_comes_first():
    findings = Findings()
    findings.add(LEFT_OUT, 'rare', 'a')
    findings.add(LEFT_OUT, 'frequent', 'b')
    findings.add(LEFT_OUT, 'frequent', 'c')
    assert findings.summary() == '3 left out: 2 frequent (first: b), 1 rare (first: a)'
