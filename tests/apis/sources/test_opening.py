"""Every kind of source gives its pictures, in order, or one line that says what to do."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet.apis.sources import UnreadableError, open_source
from mmdet.errors import UserError
from tests.apis.videos import scene, write_pictures


def paths_of(source: object, *, strict: bool = False) -> list[str]:
    return [picture.path for picture in open_source(source, strict=strict)]


def test_an_image(tmp_path):
    (path,) = write_pictures(tmp_path, ['a.png'])
    opened = open_source(path)
    (picture,) = opened
    assert (picture.image == scene(0)).all()
    assert (picture.path, picture.frame, picture.time) == (path, None, None)
    assert opened.total == 1


def test_an_array():
    (picture,) = open_source(scene(3))
    assert (picture.image == scene(3)).all()
    assert picture.path == ''


@pytest.mark.parametrize('image', [np.zeros((4, 4)), np.zeros((4, 4, 3)), scene(0)[..., :1]])
def test_an_array_that_is_no_picture(image):
    with pytest.raises(UserError, match=r'it takes \(height, width, 3\) of uint8'):
        open_source(image)


def test_a_folder_is_taken_in_order_and_without_what_lies_deeper(tmp_path):
    paths = write_pictures(tmp_path, ['a.png', 'b.JPG', 'c.webp'])
    write_pictures(tmp_path, ['vis/a.png', '.thumbnail.png'])
    (tmp_path / 'notes.md').write_text('')
    assert paths_of(tmp_path) == paths
    assert open_source(str(tmp_path)).total == 3


def test_a_pattern(tmp_path):
    paths = write_pictures(tmp_path, ['a.png', 'b/c.png', 'b/d.jpg'])
    assert paths_of(f'{tmp_path}/**') == paths
    assert paths_of(f'{tmp_path}/*/*.png') == paths[1:2]


def test_links_that_lead_back(tmp_path):
    pictures = write_pictures(tmp_path, ['a.png', 'deep/er/b.png'])
    elsewhere = write_pictures(tmp_path / 'elsewhere', ['c.png'])
    for link in ('deep/up', 'deep/er/up'):
        (tmp_path / link).symlink_to(tmp_path / 'deep')
    (tmp_path / 'deep' / 'link').symlink_to(tmp_path / 'elsewhere')
    found = paths_of(f'{tmp_path}/deep/**')
    assert found == [pictures[1], f'{tmp_path}/deep/link/c.png']
    assert paths_of(f'{tmp_path}/**/[ac].png') == [pictures[0], found[1], *elsewhere]


def test_a_link_to_nothing_is_a_picture_that_is_missing(tmp_path):
    pictures = write_pictures(tmp_path, ['a.png'])
    (tmp_path / 'b.png').symlink_to(tmp_path / 'gone.png')
    for source in (tmp_path, f'{tmp_path}/*.png'):
        opened = open_source(source)
        assert [picture.path for picture in opened] == pictures
        linked = f'{tmp_path}/b.png is a link to {tmp_path}/gone.png, which does not exist'
        assert opened.broken == [linked]


def test_a_folder_whose_name_is_a_pattern(tmp_path):
    paths = write_pictures(tmp_path, ['photos [2024]/a.png'])
    assert paths_of(tmp_path / 'photos [2024]') == paths


def test_a_list_is_relative_to_itself_or_to_here(tmp_path, monkeypatch):
    write_pictures(tmp_path, ['lists/a.png', 'here/b.png'])
    listed = tmp_path / 'lists' / 'mine.txt'
    listed.write_text('# the first\na.png\n\nb.png\n', encoding='utf-8-sig')
    monkeypatch.chdir(tmp_path / 'here')
    assert paths_of(listed) == [str(tmp_path / 'lists' / 'a.png'), 'b.png']


def test_a_list_that_leads_to_itself(tmp_path):
    write_pictures(tmp_path, ['a.png'])
    (tmp_path / 'list.txt').write_text('a.png\nother.txt\nother.txt\n')
    (tmp_path / 'other.txt').write_text('a.png\n')
    assert len(paths_of(tmp_path / 'list.txt')) == 3
    (tmp_path / 'other.txt').write_text('list.txt\n')
    with pytest.raises(UserError, match=r'list .*list\.txt is named by itself, or by a list'):
        paths_of(tmp_path / 'list.txt')


def test_a_list_as_other_systems_write_it(tmp_path):
    pictures = write_pictures(tmp_path, ['a.png', 'b\u2028c\x0c.png'])
    lines = ['# mine', '', *(Path(each).name for each in pictures), 'x' * 300 + '.png']
    (tmp_path / 'list.txt').write_bytes('\r\n'.join(['\ufeff' + lines[0], *lines[1:]]).encode())
    opened = open_source(tmp_path / 'list.txt')
    assert [picture.path for picture in opened] == pictures
    assert len(opened.broken) == 1
    assert 'is no path: ' in opened.broken[0]
    (tmp_path / 'list.txt').write_text('a.png\n', encoding='utf-16')
    with pytest.raises(UserError, match='it should be text as UTF-8'):
        open_source(tmp_path / 'list.txt')


@pytest.mark.parametrize('name', ['x' * 300 + '.png', '~nobody-of-this-name/a.png'])
def test_what_is_no_path(name):
    with pytest.raises(UnreadableError, match='is no path: '):
        open_source(name)


def test_the_first_of_several_pages_is_taken_and_it_is_said(tmp_path):
    (one,) = write_pictures(tmp_path, ['a.tif'])
    several = str(tmp_path / 'b.tif')
    cv2.imwritemulti(several, [scene(3), scene(4)])
    opened = open_source([one, several])
    (_, first) = opened
    assert (first.image == scene(3)).all()
    assert opened.notes == [f'{several} has 2 pictures, of which the first was taken']


def test_several_of_all_kinds(tmp_path):
    write_pictures(tmp_path, ['f/a.png', 'f/b.png'])
    opened = open_source([scene(0), tmp_path / 'f', str(tmp_path / 'f' / 'a.png')])
    found = [Path(picture.path).name for picture in opened]
    assert found == ['', 'a.png', 'b.png', 'a.png']
    assert opened.total == 4


def test_an_iterator_is_read_as_it_goes():
    taken = []

    def pictures():
        for number in range(3):
            taken.append(number)
            yield scene(number)

    opened = iter(open_source(pictures()))
    assert (next(opened).image == scene(0)).all()
    assert taken == [0]


def test_a_broken_picture_does_not_stop_the_others(tmp_path):
    paths = write_pictures(tmp_path, ['a.png', 'b.png', 'c.png'])
    Path(paths[1]).write_bytes(b'\x89PNG cut off')
    opened = open_source([*paths, str(tmp_path / 'd.png')])
    assert [picture.path for picture in opened] == [paths[0], paths[2]]
    assert [each.partition(' cannot')[0] for each in opened.broken[:1]] == [f'image {paths[1]}']
    assert f'{tmp_path}/d.png does not exist' in opened.broken[1]
    with pytest.raises(UnreadableError, match=r'b\.png cannot be read'):
        paths_of(paths, strict=True)


def test_all_pictures_are_broken(tmp_path):
    for name in ('a.png', 'b.png'):
        (tmp_path / name).write_bytes(b'no image')
    with pytest.raises(UserError, match=r'nothing of .* can be read \(2 tried\).*a\.png'):
        paths_of(tmp_path)


def test_a_picture_that_is_named_alone_must_be_whole(tmp_path):
    (tmp_path / 'a.png').write_bytes(b'no image')
    with pytest.raises(UnreadableError, match=r'a\.png cannot be read: it is broken or no image'):
        paths_of(tmp_path / 'a.png')


def test_a_picture_is_known_by_its_content_where_its_name_says_nothing(tmp_path):
    (path,) = write_pictures(tmp_path, ['a.png'])
    os.rename(path, tmp_path / 'photo')
    assert paths_of(tmp_path / 'photo') == [str(tmp_path / 'photo')]


@pytest.mark.parametrize(
    ('make', 'source', 'said'),
    [
        ('', 'a.jpg', 'a.jpg does not exist: name an image'),
        ('', 'no/such/a.jpg', 'nor does anything below'),
        ('empty/', 'empty', 'has no images or videos; an image ends in one of .avif'),
        ('deep/er/a.png', 'deep', "those of its sub-folders are named by '"),
        ('', '*.jpg', 'no image or video matches'),
        ('list.txt', 'list.txt', 'names nothing: put the path of a picture in each line'),
        ('', '', 'has no images or videos'),
    ],
)
def test_nothing_to_look_at(tmp_path, make, source, said):
    if make.endswith('/'):
        (tmp_path / make).mkdir()
    elif make.endswith('.txt'):
        (tmp_path / make).write_text('# none yet\n\n')
    elif make:
        write_pictures(tmp_path, [make])
    with pytest.raises(UserError, match=said.replace('*', r'\*')):
        open_source(f'{tmp_path}/{source}')


def test_a_list_of_bytes(tmp_path):
    (tmp_path / 'a.txt').write_bytes(b'\xff\xd8\xff\xe0')
    with pytest.raises(UserError, match='is no list: it should be text'):
        open_source(tmp_path / 'a.txt')


@pytest.mark.parametrize(
    ('source', 'said'), [('', 'has no name'), ('http://[::1/a.jpg', 'no address')]
)
def test_a_name_of_nothing(source, said):
    with pytest.raises(UserError, match=said):
        open_source(source)


@pytest.mark.parametrize('source', [None, True, 1.5, [], np.float32(1), b'\xff\xd8', {'a.png': 1}])
def test_what_is_no_source(source):
    with pytest.raises(UserError, match=r'is no source|is empty'):
        open_source(source)
