"""Files and folders that are written to."""

import pytest

from mmdet.errors import UserError
from mmdet.utils.files import check_folder, check_target, write_whole


def test_a_folder_is_made(tmp_path):
    check_folder(tmp_path / 'a' / 'b')
    assert list((tmp_path / 'a' / 'b').iterdir()) == []


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / 'a').write_text('')
    with pytest.raises(UserError, match=r'folder .*/a/b cannot be written: Not a directory; name'):
        check_folder(tmp_path / 'a' / 'b')


@pytest.mark.parametrize('place', [0, 9_990])
def test_what_is_written_over_says_at_either_end_whose_it_is(tmp_path, place):
    path = tmp_path / 'a.pdf'

    def check() -> None:
        check_target('--out', str(path), is_ours=lambda ends: b'ours' in ends)

    check()  # there is none yet
    content = bytearray(10_000)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r'--out .*a\.pdf exists, and was not made by this command'):
        check()
    content[place : place + 4] = b'ours'
    path.write_bytes(content)
    check()


def test_a_file_that_the_disk_does_not_take_is_what_it_was(small_disk):
    path = small_disk / 'new' / 'a.jpg'
    with pytest.raises(OSError, match='No space'):
        write_whole(path, bytes(3_000_000))
    assert list(path.parent.iterdir()) == []
    write_whole(path, b'before')
    with pytest.raises(OSError, match='No space'):
        write_whole(path, bytes(3_000_000))
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == b'before'
