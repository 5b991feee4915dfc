import socket
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from mmengine.fileio import BaseStorageBackend, register_backend

from mmdet.datasets import ShapesDataset
from mmdet.datasets.file_backend import file_backend
from mmdet.datasets.image_file import read_image
from mmdet.errors import UserError
from tests.datasets.transforms.results import apply


class RemoteBackend(BaseStorageBackend):
    """Holds under `elsewhere/` what is in a local folder."""

    def __init__(self, root: str) -> None:
        self.root = root

    def get(self, filepath: str) -> bytes:
        if not filepath.startswith('elsewhere/'):
            raise ConnectionError(f'no way to {filepath}')
        return Path(self.root, filepath.removeprefix('elsewhere/')).read_bytes()

    def get_text(self, filepath: str) -> str:
        return self.get(filepath).decode()


@pytest.fixture
def remote(shapes_root) -> dict:
    register_backend('remote', RemoteBackend, force=True)
    return dict(backend='remote', root=str(shapes_root))


class RemoteShapes(ShapesDataset):
    """Is not drawn."""

    read = ShapesDataset.__base__.read


def open_shapes(cls: type, root: str, backend_args: dict | None) -> ShapesDataset:
    return cls(
        data_root=root,
        ann_file='annotations/instances_val2017.json',
        data_prefix=dict(img='val2017/'),
        pipeline=[
            dict(type='LoadImageFromFile', backend_args=backend_args),
            dict(type='LoadAnnotations', with_mask=True),
        ],
        backend_args=backend_args,
    )


def test_a_data_set_comes_from_its_backend(shapes_root, remote):
    near = open_shapes(ShapesDataset, str(shapes_root), dict(backend='local'))
    far = open_shapes(RemoteShapes, 'elsewhere', remote)
    assert len(near) == len(far) == 7
    assert far[0]['img_path'].startswith('elsewhere/val2017/')
    np.testing.assert_array_equal(near[0]['img'], far[0]['img'])
    np.testing.assert_array_equal(near[0]['gt_bboxes'], far[0]['gt_bboxes'])


def test_files_that_a_backend_has_not_are_named(remote):
    with pytest.raises(UserError, match=r'elsewhere/none\.png does not exist'):
        apply('LoadImageFromFile', dict(img_path='elsewhere/none.png'), backend_args=remote)
    with pytest.raises(UserError, match=r'a\.png cannot be read: no way to a\.png'):
        apply('LoadImageFromFile', dict(img_path='a.png'), backend_args=remote)
    with pytest.raises(UserError, match=r'val2017\.json cannot be read: no way to mars'):
        open_shapes(RemoteShapes, 'mars', remote)


@pytest.mark.parametrize(
    ('path', 'backend_args', 'reason'),
    [
        ('a.json', dict(backend='tape'), "KeyError: 'tape'"),
        ('a.json', dict(backend='petrel'), 'Please install petrel_client'),
        ('a.json', dict(backend='local', speed=2), 'TypeError'),
        ('s3://bucket/a.json', None, 'Please install petrel_client'),
        ('tape://a.json', None, "KeyError: 'tape'"),
    ],
)
def test_backends_that_are_not_there_are_named(path, backend_args, reason):
    with pytest.raises(UserError, match=rf'(?s)nothing can read {path} .*{reason}'):
        file_backend(path, backend_args)


def test_images_name_the_backend_too():
    with pytest.raises(UserError, match=r"nothing can read a\.png with .*'tape'"):
        apply('LoadImageFromFile', dict(img_path='a.png'), backend_args=dict(backend='tape'))


def test_a_server_that_does_not_answer(monkeypatch):
    monkeypatch.setattr('mmdet.datasets.file_backend._TIMEOUT', 0.1)
    with socket.create_server(('127.0.0.1', 0)) as server:
        address = f'http://127.0.0.1:{server.getsockname()[1]}/a.jpg'
        with pytest.raises(UserError, match=r'a\.jpg cannot be read: .*timed out'):
            read_image(address)


def test_a_server_that_breaks_off():
    def answer(server: socket.socket) -> None:
        with server.accept()[0] as visitor:
            visitor.recv(1000)
            visitor.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')

    with socket.create_server(('127.0.0.1', 0)) as server:
        thread = Thread(target=answer, args=(server,))
        thread.start()
        address = f'http://127.0.0.1:{server.getsockname()[1]}/a.jpg'
        with pytest.raises(UserError, match=r'a\.jpg cannot be read: IncompleteRead'):
            read_image(address)
        thread.join()
