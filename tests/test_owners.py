"""Importing the package beside another that overwrites it, or what it needs."""

import subprocess
import sys

import pytest


@pytest.fixture
def import_beside(tmp_path, environment):
    """Import the package where folders of packages hold some distributions; return what it says.

    Each is named `folder/name-version`. The last line of what it printed is returned.
    """

    def run(*distributions: str) -> str:
        for path in distributions:
            name, version = path.rsplit('/')[-1].rsplit('-', 1)
            folder = tmp_path / path.split('/')[0]
            info = folder / f'{name.replace("-", "_")}-{version}.dist-info'
            info.mkdir(parents=True)
            text = f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n'
            (info / 'METADATA').write_text(text)
        folders = [str(path) for path in tmp_path.iterdir()]
        program = f'import sys; sys.path += {folders}; import mmdet; print("imported")'
        done = subprocess.run(
            # -S: what the environment itself holds is another matter.
            [sys.executable, '-S', '-c', program],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.stdout.splitlines()[-1]

    return run


@pytest.mark.parametrize(
    ('found', 'again'),
    [
        (('mmdet-solo-0.1.0', 'mmdet-3.3.0'), 'this package'),
        (('mmdet-solo-0.1.0', 'onedl-mmdetection-3.5.1'), 'this package'),
        (('mmengine-0.10.7', 'onedl-mmengine-0.10.12'), 'mmengine'),
        (('mmengine-0.10.7', 'mmengine-lite-0.10.6'), 'mmengine'),
        (('mmcv-lite-2.2.0', 'mmcv-2.1.0'), 'mmcv-lite'),
    ],
    ids=' '.join,
)
def test_two_owners_are_refused_and_the_remedy_is_named(import_beside, tmp_path, found, again):
    message = import_beside(*(f'site/{name}' for name in found))
    names = [name.rsplit('-', 1)[0] for name in found]
    assert message.startswith('ImportError: ')
    assert str(tmp_path / 'site') in message
    assert f'{sys.executable} -m pip uninstall {" ".join(names)}, ' in message
    assert message.endswith(f'then install {again} again')


@pytest.mark.parametrize(
    'found',
    [
        ('site/mmdet-solo-0.1.0', 'site/mmengine-0.10.7', 'site/mmcv-lite-2.2.0'),
        # Alone each will do, and these have the same files.
        ('site/mmengine-lite-0.10.7', 'site/mmcv-2.2.0', 'site/mmcv-lite-2.2.0'),
        ('site/onedl-mmengine-0.10.12',),
        # Of two folders the first hides the other; nothing is overwritten.
        ('site/mmdet-solo-0.1.0', 'other/mmdet-3.3.0', 'other/onedl-mmengine-0.10.12'),
        # Left by an upgrade that was interrupted
        ('site/mmengine-0.10.6', 'site/mmengine-0.10.7'),
    ],
    ids=' '.join,
)
def test_one_owner_is_none_too_many(import_beside, found):
    assert import_beside(*found) == 'imported'
