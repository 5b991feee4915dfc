from pathlib import Path

import pytest

from mmdet.datasets.coco_names import names_that_are_there
from mmdet.datasets.findings import Findings


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ('a.jpg', 'b.jpg', 'sub/c.jpg', '../d.jpg'):
        path = tmp_path / 'img' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / 'img'


def named(folder: Path, *names: str) -> tuple[list[str], str]:
    """Return what becomes of names, and what is said."""
    findings = Findings()
    images = [dict(id=number, file_name=name) for number, name in enumerate(names)]
    found = names_that_are_there(images, str(folder), findings)
    assert [image['file_name'] for image in images] == list(names)
    return [image['file_name'] for image in found], findings.summary()


@pytest.mark.parametrize(
    'name',
    [
        'C:\\Users\\me\\photos\\a.jpg',
        'D:/photos/a.jpg',
        '/home/me/photos/a.jpg',
        '../photos/a.jpg',
        'images/a.jpg',  # as Label Studio's, whose folder is data_prefix here
        'images\\a.jpg',
        '/data/upload/3/a.jpg',
        '/data/local-files/?d=photos/a.jpg',
        'https://storage.example.com/bucket/a.jpg',
    ],
)
def test_a_path_of_another_place(folder, name):
    said = f'images named by a path of another place: taken from {folder}'
    assert named(folder, name) == (['a.jpg'], f'1 repaired: 1 {said} (first: image 0 ({name}))')


def test_backslashes(folder):
    said = 'images whose file_name has backslashes, where / is meant'
    assert named(folder, 'a.jpg', 'sub\\c.jpg') == (
        ['a.jpg', 'sub/c.jpg'],
        f'1 repaired: 1 {said} (first: image 1 (sub\\c.jpg))',
    )


def test_names_of_files_that_are_there_stay(folder):
    names = ['a.jpg', './b.jpg', 'sub/c.jpg', '../d.jpg', f'{folder}/a.jpg']
    assert named(folder, *names) == (names, '')


def test_names_that_nothing_is_known_of_stay(folder):
    names = ['x.jpg', 'sub/x.jpg', '/home/me/x.jpg', 'x\\y.jpg']
    assert named(folder, *names) == (names, '')


def test_one_file_is_not_taken_for_two_images(folder):
    names = ['monday/a.jpg', 'tuesday/a.jpg']
    assert named(folder, *names) == (names, '')
    names = ['a.jpg', 'tuesday\\a.jpg']
    assert named(folder, *names) == (names, '')


def test_a_folder_that_cannot_be_listed_is_trusted(folder, monkeypatch):
    def refuse(path: str) -> None:
        raise PermissionError(path)

    monkeypatch.setattr('os.listdir', refuse)
    assert named(folder, 'elsewhere/a.jpg') == (['elsewhere/a.jpg'], '')
