"""What is around the sections of a page."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from .html import Html, section, tag
from .style import CSS


class Section(NamedTuple):
    """A part of a page.

    Attributes:
        identifier: what links lead to.
        title: its heading.
        content: pieces of HTML, or text.
        link: how it is called at the top; no link leads there if it is empty.
    """

    identifier: str
    title: str
    content: Sequence[object]
    link: str = ''


def mark_of(made_by: str) -> str:
    """Return what stands in each page of a command, by which it is told from other people's."""
    return f'<meta name="generator" content="{made_by}">'


def told_by(made_by: str) -> Callable[[bytes], bool]:
    """Return what tells a command's files, pages and figures as JSON, from other people's.

    It takes the first bytes of a file; figures begin with `made_by`.
    """
    marks = [mark_of(made_by).encode(), f'"made_by": "{made_by}"'.encode()]
    return lambda head: any(mark in head for mark in marks)


def page(
    *, title: str, heading: str, subject: str, made_by: str, sections: Sequence[Section]
) -> str:
    """Return a page.

    Args:
        title: of the browser's window.
        heading: of the page.
        subject: what it is about, below the heading.
        made_by: the command.
        sections: in their order.
    """
    body = [section(each.identifier, each.title, *each.content) for each in sections]
    links = [tag('a', each.link, href=f'#{each.identifier}') for each in sections if each.link]
    return ''.join(
        (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            mark_of(made_by),
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            tag('title', title),
            f'<style>{CSS}</style></head><body>',
            tag('header', tag('h1', heading), tag('p', subject, class_='soft')),
            tag('nav', *links),
            tag('main', *body),
            '</body></html>\n',
        )
    )


def findings(found: Sequence[Mapping], *, none: str) -> Html:
    """Return what was found as a list, each with a link to the section that says more.

    Args:
        found: each with `weight`, from 1 to 3, `said` and `remedy`, which are sentences, and
            `section`.
        none: what to say if nothing was found.
    """
    if not found:
        return tag('ol', tag('li', tag('b', none), class_='none'), class_='found')
    return tag(
        'ol',
        *(
            tag(
                'li',
                tag('b', each['said']),
                each['remedy'],
                Html(' '),
                tag('a', 'Details', href=f'#{each["section"]}'),
                class_=f'w{each["weight"]}',
            )
            for each in found
        ),
        class_='found',
    )
