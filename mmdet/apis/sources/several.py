"""Sources one after the other, each opened when its turn comes."""

from collections.abc import Callable, Generator, Iterable, Sized
from typing import Generic, TypeVar

from mmdet.datasets.image_file import UnreadableError
from mmdet.errors import UserError

from .picture import Picture, Pictures

Item = TypeVar('Item')


class Several(Generic[Item]):
    """The pictures of several sources.

    Args:
        items: the sources.
        opened: opens one.
        name: what to call all of them.
        root: the folder that they are in or below, if there is one.
        strict: a broken one raises; otherwise it is noted in `broken`, and the next one follows.
    """

    live: bool = False

    def __init__(
        self,
        items: Iterable[Item],
        opened: Callable[..., Pictures],
        *,
        name: str,
        strict: bool,
        root: str = '',
    ) -> None:
        self.items = items
        self.opened = opened
        self.name = name
        self.strict = strict
        self.root = root
        self.total: int | None = len(items) if isinstance(items, Sized) else None
        self.broken: list[str] = []
        self.notes: list[str] = []

    def __iter__(self) -> Generator[Picture, None, None]:
        """Yield the pictures.

        Raises:
            UnreadableError: one is broken, and `strict`; or all of them are.
            UserError: one is a camera or a stream.
        """
        number = 0
        for item in self.items:
            try:
                source = self.opened(item, strict=self.strict)
                self._count(source)
                for picture in source:
                    number += 1
                    yield picture
            except UnreadableError as error:
                if self.strict:
                    raise
                self.broken.append(error.message)
            else:
                self.broken += source.broken
                self.notes += source.notes
        if self.broken and not number:
            raise UnreadableError(
                f'nothing of {self.name} can be read ({len(self.broken)} tried); the first: '
                f'{self.broken[0]}'
            )

    def _count(self, source: Pictures) -> None:
        if source.live:
            raise UserError('a camera or a stream never ends: name it alone, not among others')
        if self.total is not None:  # a video has more pictures than one, and may not know it
            self.total = None if source.total is None else self.total + source.total - 1
