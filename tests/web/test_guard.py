"""No request reads a file of the server."""

import asyncio
import json

import pytest

from mmdet.web.guard import names_only_uploads

requests = pytest.importorskip('starlette.requests', reason='gradio is not installed')


def allowed(content: object, folder: str, *, path: str = '/gradio_api/queue/join') -> bool:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()

    async def receive() -> dict:
        return dict(type='http.request', body=body)

    scope = dict(type='http', method='POST', path=path, headers=[], server=('here', 80))
    request = requests.Request(scope, receive)
    return asyncio.run(names_only_uploads(request, folder))


@pytest.mark.parametrize(
    'path',
    [
        '/etc/passwd',
        '{folder}/../a.jpg',
        '{folder}/link/a.jpg',
        '{folder}-beside/a.jpg',
        'a.jpg',
        'http://example.com/{folder}/a.jpg',
        'data:image/png;base64,AAAA',
        '{folder}/a\0.jpg',
        '',
    ],
)
def test_what_was_not_uploaded(tmp_path, path):
    folder = tmp_path / 'uploads'
    folder.mkdir()
    (folder / 'link').symlink_to(tmp_path)
    file = dict(path=path.format(folder=folder), meta={'_type': 'gradio.FileData'})
    for content in (file, [file], dict(data=[0.3, file]), dict(data=[dict(value=[file])])):
        assert not allowed(content, str(folder))


def test_what_was_uploaded(tmp_path):
    file = dict(path=str(tmp_path / '1a2b' / 'a.jpg'), url='http://here/file=a.jpg')
    assert allowed(dict(data=[file], fn_index=8), str(tmp_path))
    assert allowed(dict(data=[0.3, ['bolt'], None]), str(tmp_path))
    assert allowed(b'--boundary and a picture', str(tmp_path))
    assert allowed(dict(path='/etc/passwd'), str(tmp_path), path='/gradio_api/upload')
