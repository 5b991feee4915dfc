"""`mmdet-solo report`: what it writes, and what it does not write over."""

import json

import pytest

from mmdet.cli.report import main
from mmdet.errors import UserError

CONFIG = 'configs/solo/solo_r18_fpn_shapes-cpu.py'


def report(root, *arguments: str) -> dict:
    return main([CONFIG, '--data-root', str(root), *map(str, arguments)])


def test_it_writes_the_page_and_the_figures(shapes_root, tmp_path, capsys):
    page, figures = tmp_path / 'new/report.html', tmp_path / 'new/figures.json'
    for _ in range(2):  # its own it writes over
        found = report(shapes_root, '--out', page, '--json', figures)
    assert json.loads(figures.read_text()) == found
    train, rest = found['parts']
    assert (train['images'], rest['images'], rest['stages']) == (12, 7, ['val', 'test'])
    assert train['objects'] == sum(each['objects'] for each in train['classes']) > 12
    assert train['grid']['recall_bound'] > 0.9
    assert '<title>Data of ' in page.read_text()
    printed = capsys.readouterr().out
    assert printed.endswith(f'{page} and {figures}\n')
    assert all(each['said'] in printed for each in found['amiss'])


def test_without_images(shapes_root, tmp_path):
    found = report(shapes_root, '--json', tmp_path / 'a.json', '--no-images')
    assert found['twins'] == []
    assert [part['files'] for part in found['parts']] == [None, None]
    assert list(tmp_path.iterdir()) == [tmp_path / 'a.json']
    report(shapes_root, '--out', tmp_path / 'a.html', '--no-images')
    assert 'not looked at (--no-images)' in (tmp_path / 'a.html').read_text()


def refused(root, *arguments: str) -> str:
    with pytest.raises(UserError) as error:
        report(root, *arguments)
    return str(error.value).splitlines()[-1]


def test_mistakes(shapes_root, tmp_path):
    assert (
        refused(shapes_root) == 'nothing would be written: name --out report.html, or --json FILE'
    )
    assert refused(shapes_root, '--out', tmp_path) == (
        f'--out {tmp_path} is a folder: name a file in it'
    )
    theirs = tmp_path / 'theirs.html'
    theirs.write_text('<html>mine</html>')
    for option in ('--out', '--json'):
        assert refused(shapes_root, option, theirs) == (
            f'{option} {theirs} exists, and was not made by this command: name another file, or '
            'remove it'
        )
    assert theirs.read_text() == '<html>mine</html>'
    same = tmp_path / 'new'
    assert refused(shapes_root, '--out', same, '--json', same).endswith('name two files')
    assert 'cannot be written' in refused(shapes_root, '--out', theirs / 'report.html')
    assert not same.exists()
    with pytest.raises(UserError, match='no such config file'):
        main(['none.py', '--out', str(tmp_path / 'a.html')])


def test_no_data(tmp_path):
    root = tmp_path / 'empty'
    root.mkdir()
    (root / 'file').touch()  # the shapes are not drawn where something is
    assert 'does not exist' in refused(root, '--out', tmp_path / 'a.html')
    assert not (tmp_path / 'a.html').exists()
