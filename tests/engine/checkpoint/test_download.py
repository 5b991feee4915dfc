"""Downloads from a real server, on this machine."""

import hashlib
import io
import os
import re
import socket
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from mmdet.engine.checkpoint import load_from_http
from mmdet.engine.processes import leave_processes
from mmdet.errors import UserError


def checkpoint(value: float) -> bytes:
    file = io.BytesIO()
    torch.save(dict(state_dict=dict(a=torch.full((999,), float(value)))), file)
    return file.getvalue()


def with_hash(content: bytes) -> str:
    return f'/x/solo-{hashlib.sha256(content).hexdigest()[:8]}.pth'


class Server(ThreadingHTTPServer):
    """Serves `files`, counts `requests` by path, and breaks off in the middle of those in `cut`."""

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.requests: Counter[str] = Counter()

    def url(self, path: str, content: bytes | None = None) -> str:
        """Return the address of a path, which has a content from now on."""
        if content is not None:
            self.files[path] = content
        return f'http://127.0.0.1:{self.server_port}{path}'


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests[self.path] += 1
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.path in self.server.cut else content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[Server]:
    """A server, and an empty cache."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    with Server() as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def value_of(url: str) -> float:
    return load_from_http(url, 'cpu')['state_dict']['a'][0].item()


def kept(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / 'cache').rglob('*') if path.is_file())


def test_two_addresses_that_end_alike_are_two_files(server):
    first = server.url('/a/model.pth', checkpoint(1))
    second = server.url('/b/model.pth', checkpoint(2))
    assert [value_of(url) for url in (first, second, first, second)] == [1, 2, 1, 2]
    assert server.requests == {'/a/model.pth': 1, '/b/model.pth': 1}


def test_a_name_with_a_hash_is_held_to_it(server, tmp_path):
    right = server.url(with_hash(checkpoint(1)), checkpoint(1))
    assert value_of(right) == 1
    wrong = server.url('/x/solo-0123abcd.pth', checkpoint(1))
    with pytest.raises(UserError, match=r'solo-0123abcd\.pth cannot be downloaded \(invalid hash'):
        load_from_http(wrong, 'cpu')
    assert kept(tmp_path) == [Path(right).name]
    date = server.url('/x/solo-20210821.pth', checkpoint(3))
    assert value_of(date) == 3


def test_what_torch_hub_has_is_used_if_it_is_what_its_name_says(server, tmp_path):
    url = server.url(with_hash(checkpoint(1)), checkpoint(1))
    torchs = tmp_path / 'cache' / 'hub' / 'checkpoints' / Path(url).name
    torchs.parent.mkdir(parents=True)
    torchs.write_bytes(checkpoint(1))
    assert value_of(url) == 1
    assert not server.requests
    torchs.write_bytes(checkpoint(2))
    assert value_of(url) == 1
    assert server.requests.total() == 1


@pytest.mark.parametrize('name', ['model.pth', 'model.safetensors', 'hash'])
def test_a_download_that_breaks_off_is_not_kept(server, tmp_path, name):
    content = checkpoint(1)
    path = with_hash(content) if name == 'hash' else f'/a/{name}'
    url = server.url(path, content)
    server.cut.add(path)
    with pytest.raises(UserError, match='cannot be downloaded') as error:
        load_from_http(url, 'cpu')
    assert len(str(error.value).splitlines()) == 1
    assert kept(tmp_path) == []


def test_a_page_instead_of_a_file_is_not_kept(server, tmp_path):
    url = server.url('/a/model.pth', b'<html>log in first</html>')
    with pytest.raises(UserError, match=r'model\.pth cannot be downloaded \(is not a checkpoint\)'):
        load_from_http(url, 'cpu')
    assert kept(tmp_path) == []


@pytest.mark.parametrize('path', ['/a/gone.pth', with_hash(checkpoint(1))])
def test_the_place_that_is_named_is_where_a_file_is_found(server, path):
    url = server.url(path)
    with pytest.raises(UserError, match='HTTP Error 404') as error:
        load_from_http(url, 'cpu')
    place = Path(re.search(r'put it at (\S+),', str(error.value))[1])
    place.write_bytes(checkpoint(1))
    server.requests.clear()
    assert value_of(url) == 1
    assert not server.requests


def test_a_server_that_is_away_is_one_line(server):
    with socket.socket() as unused:
        unused.bind(('127.0.0.1', 0))
        url = f'http://127.0.0.1:{unused.getsockname()[1]}/a.pth'
        with pytest.raises(UserError, match='Connection refused'):
            load_from_http(url, 'cpu')


def process(rank: int, port: int, urls: list[str], folder: str) -> None:
    torch.set_num_threads(1)
    os.environ |= dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), LOCAL_RANK=str(rank))
    dist.init_process_group('gloo', rank=rank, world_size=2)
    said = []
    for url in urls:
        try:
            said.append(value_of(url))
        except UserError as error:
            said.append(str(error))
    torch.save(said, Path(folder, str(rank)))
    leave_processes()


def test_one_process_downloads_for_all(server, tmp_path):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    urls = [server.url('/a/model.pth', checkpoint(1)), server.url('/a/gone.pth')]
    mp.spawn(process, (port, urls, str(tmp_path)), nprocs=2)
    said = [torch.load(tmp_path / str(rank)) for rank in (0, 1)]
    assert said[0] == said[1]
    assert said[0][0] == 1
    assert 'cannot be downloaded (HTTP Error 404' in said[0][1]
    assert server.requests == {'/a/model.pth': 1, '/a/gone.pth': 1}
