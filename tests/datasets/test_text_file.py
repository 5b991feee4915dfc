import pytest

from mmdet.datasets.text_file import read_text
from mmdet.errors import UserError

TEXT = 'Zürich\n0 0.5\n'


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'cp1252'])
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_text_of_any_system(tmp_path, encoding, end):
    path = tmp_path / 'a.txt'
    path.write_bytes(TEXT.replace('\n', end).encode(encoding))
    assert read_text(str(path)) == TEXT


def test_utf_16_whose_first_byte_is_the_higher(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_bytes(b'\xfe\xff' + TEXT.encode('utf-16-be'))
    assert read_text(str(path)) == TEXT


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match=r'a\.txt does not exist'):
        read_text(str(tmp_path / 'a.txt'))
    with pytest.raises(UserError, match='cannot be read: Is a directory'):
        read_text(str(tmp_path))
