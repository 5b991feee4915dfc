"""The pages: links lead somewhere, files that are named exist, and the README stays short."""

import importlib
import re
import unicodedata
from pathlib import Path

import pytest

from tests.conftest import REPO

DOCS = sorted((REPO / 'docs').glob('*.md'))
PAGES = [
    *(REPO / name for name in ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md')),
    *sorted((REPO / 'configs').glob('*/README.md')),
    *DOCS,
]
# Code spans and indented commands that begin as a path of the repository does.
NAMED = re.compile(
    r'(?<![\w./-])((?:configs|csrc|docs|mmdet|tests|tools)/[\w./-]*[\w/]|[\w-]+\.sh)(?![\w*<{.])'
)
# Those that a reader is to make, or has in mmdetection.
INVENTED = re.compile(r'/mine\.py|/NAME\.py|my_\w+|tools/dist_|tools/deploy\.py|/eval_metric\.py')


def page_id(page: Path) -> str:
    return str(page.relative_to(REPO))


def anchors(page: Path) -> set[str]:
    """The headings' anchors, as GitHub and mkdocs make them of plain ASCII."""
    headings = re.findall(r'^#+ (.+)$', page.read_text(), re.MULTILINE)
    plain = (unicodedata.normalize('NFKD', heading).lower() for heading in headings)
    return {re.sub(r'\s+', '-', re.sub(r'[^\w\s-]', '', heading)) for heading in plain}


@pytest.mark.parametrize('page', PAGES, ids=page_id)
def test_links_lead_somewhere(page):
    for target in re.findall(r'\]\(([^)\s]+)\)', page.read_text()):
        if target.startswith('https://'):
            continue
        path, _, anchor = target.partition('#')
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@pytest.mark.parametrize('page', PAGES, ids=page_id)
def test_files_that_are_named_exist(page):
    for name in NAMED.findall(page.read_text()):
        if not INVENTED.search(name):
            folders = [REPO, page.parent, REPO / 'mmdet']
            assert any((folder / name).exists() for folder in folders), name


def test_the_readme_is_read_in_three_minutes():
    assert len((REPO / 'README.md').read_text().splitlines()) <= 120


def test_every_page_is_reached():
    readme, nav = (REPO / 'README.md').read_text(), (REPO / 'mkdocs.yml').read_text()
    start = (REPO / 'docs/index.md').read_text()
    for page in DOCS:
        assert f': {page.name}\n' in nav
        if page.name != 'index.md':
            assert f']({page.name})' in start
            assert f'](docs/{page.name})' in readme or page.name == 'api.md'


def test_the_api_names_what_exists():
    names = re.findall(r'^::: (\S+)$', (REPO / 'docs/api.md').read_text(), re.MULTILINE)
    assert len(names) > 10
    for name in names:
        try:
            found = importlib.import_module(name)
        except ModuleNotFoundError:
            module, _, attribute = name.rpartition('.')
            found = getattr(importlib.import_module(module), attribute)
        assert found.__doc__, name


def test_every_op_is_in_the_api():
    ops = importlib.import_module('mmdet.ops._extension').OPS
    api = (REPO / 'docs/api.md').read_text()
    for op in ops:
        assert re.search(rf'^::: mmdet\.ops\.\w+\.{op}$', api, re.MULTILINE), op
