import os
import signal
from pathlib import Path

import pytest

from mmdet.datasets.conversion.out_folder import put_image, whole_folder
from mmdet.errors import UserError


def test_it_is_there_when_it_is_whole(tmp_path):
    with whole_folder(tmp_path / 'new/out') as folder:
        (folder / 'a').write_text('a')
        assert not (tmp_path / 'new/out').exists()
    assert [path.name for path in (tmp_path / 'new').rglob('*')] == ['out', 'a']


@pytest.mark.parametrize('make', [Path.mkdir, Path.touch, lambda path: path.symlink_to('none')])
def test_nothing_is_written_over(tmp_path, make):
    make(tmp_path / 'out')
    with (
        pytest.raises(UserError, match=r'out is there already: nothing is written over'),
        whole_folder(tmp_path / 'out'),
    ):
        raise AssertionError('it was entered')
    assert len(list(tmp_path.iterdir())) == 1


def test_another_one_at_work_or_killed(tmp_path):
    with (
        whole_folder(tmp_path / 'out') as folder,
        pytest.raises(UserError, match=r'out\.part is there: another conversion'),
        whole_folder(tmp_path / 'out'),
    ):
        pass
    assert not folder.exists() and (tmp_path / 'out').exists()


def test_ctrl_c(tmp_path):
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / 'out') as folder:
        (folder / 'a').write_text('a')
        os.kill(os.getpid(), signal.SIGINT)
        signal.sigtimedwait([], 1)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_the_targets(tmp_path, small_disk):
    source = tmp_path / 'a.jpg'
    source.write_bytes(bytes(3 << 20))
    with pytest.raises(OSError) as raised, whole_folder(small_disk / 'out') as folder:
        put_image(str(source), folder / 'images/a.jpg', link=False)
    assert raised.value.filename == str(small_disk / 'out')
    assert list(small_disk.iterdir()) == []


def test_a_link_takes_no_room(tmp_path):
    (tmp_path / 'a.jpg').write_bytes(b'a')
    (tmp_path / 'b.jpg').symlink_to('a.jpg')
    put_image(str(tmp_path / 'b.jpg'), tmp_path / 'out/b.jpg', link=True)
    put_image(str(tmp_path / 'b.jpg'), tmp_path / 'out/c.jpg', link=False)
    assert (tmp_path / 'out/b.jpg').samefile(tmp_path / 'a.jpg')
    assert not (tmp_path / 'out/c.jpg').samefile(tmp_path / 'a.jpg')
    assert not (tmp_path / 'out/b.jpg').is_symlink()
    assert (tmp_path / 'out/c.jpg').read_bytes() == b'a'


def test_a_link_to_another_disk(tmp_path, small_disk):
    (tmp_path / 'a.jpg').write_bytes(b'a')
    with pytest.raises(UserError, match=r'a\.jpg cannot be linked .* leave out --link'):
        put_image(str(tmp_path / 'a.jpg'), small_disk / 'a.jpg', link=True)
