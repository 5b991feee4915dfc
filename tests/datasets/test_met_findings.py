from mmengine.logging import MMLogger

from mmdet.datasets import met_findings
from mmdet.datasets.findings import REPAIRED, ListedFindings
from mmdet.datasets.met_findings import findings_noted, note_findings


def found(*places: str) -> ListedFindings:
    findings = ListedFindings()
    for place in places:
        findings.add(REPAIRED, 'without a box', place)
    return findings


def test_who_listens_is_given_each_and_nothing_is_said(monkeypatch):
    said = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'log', lambda _, text: said.append(text))
    with findings_noted() as noted:
        note_findings('set', found('a', 'b'))
    assert [(each.source, each.where) for each in noted] == [('set', 'a'), ('set', 'b')]
    assert said == []


def test_where_nobody_listens_the_first_of_a_kind_is_said(monkeypatch):
    said = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'log', lambda _, text: said.append(text))
    monkeypatch.setattr(met_findings, '_said', set())
    for place in 'ab':
        note_findings('set', found(place))
    note_findings('other', found('c'))
    assert said == [
        'set: repaired, as it is read: without a box (first: a)',
        'other: repaired, as it is read: without a box (first: c)',
    ]
