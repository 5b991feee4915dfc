"""What was found in an annotation file: counted, and said in a line with the first of each."""

from typing import NamedTuple

REFUSED = 'refused'
LEFT_OUT = 'left out'
UNTRAINED = 'not trained on'
REPAIRED = 'repaired'
NOTICED = 'to note'
EFFECTS = (REFUSED, LEFT_OUT, UNTRAINED, REPAIRED, NOTICED)


class Findings:
    """How many of what were found, and where first.

    Examples:
        >>> findings = Findings()
        >>> findings.add(LEFT_OUT, 'without a mask', 'annotation 7')
        >>> findings.add(LEFT_OUT, 'without a mask', 'annotation 9')
        >>> findings.summary()
        '2 left out: 2 without a mask (first: annotation 7)'
    """

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, int]] = {effect: {} for effect in EFFECTS}
        self._first: dict[tuple[str, str], str] = {}

    def add(self, effect: str, what: str, where: str, *, image: object = None) -> None:
        """Count one.

        Args:
            effect: one of `EFFECTS`.
            what: is wrong, to be read behind a number; with `REFUSED`, behind `where`.
            where: it is.
            image: the id of the image, where `where` does not name its file.
        """
        counts = self._counts[effect]
        counts[what] = counts.get(what, 0) + 1
        self._first.setdefault((effect, what), where)

    def count(self, effect: str) -> int:
        """Return how many there are of an effect."""
        return sum(self._counts[effect].values())

    def counted(self) -> 'list[CountedFinding]':
        """Return all of it by effect and kind, the most frequent of an effect first."""
        return [
            CountedFinding(effect, what, count, self._first[effect, what])
            for effect, counts in self._counts.items()
            for what, count in sorted(counts.items(), key=lambda item: -item[1])
        ]

    def first_refused(self) -> str | None:
        """Return the first of what is refused, and how many more there are; None if nothing is."""
        if not self._counts[REFUSED]:
            return None
        what = next(iter(self._counts[REFUSED]))
        more = self.count(REFUSED) - 1
        others = f' (and {more} more, which check-coco lists)' if more else ''
        return f'{self._first[REFUSED, what]} {what}{others}'

    def summary(self) -> str:
        """Return all of it in one line, the most frequent first; empty where there is nothing."""
        return '; '.join(
            f'{self.count(effect)} {effect}: {self._details(effect)}'
            for effect in self._counts
            if self._counts[effect]
        )

    def _details(self, effect: str) -> str:
        return ', '.join(
            f'{each.count} {each.what} (first: {each.first})'
            for each in self.counted()
            if each.effect == effect
        )


class CountedFinding(NamedTuple):
    """How many of a kind were found; see `Findings.add`."""

    effect: str
    what: str
    count: int
    first: str


class Finding(NamedTuple):
    """One of what was found; see `Findings.add`."""

    effect: str
    what: str
    where: str
    image: object


class ListedFindings(Findings):
    """All of them, one by one.

    Attributes:
        all: in the order in which they were found.
    """

    def __init__(self) -> None:
        super().__init__()
        self.all: list[Finding] = []

    def add(self, effect: str, what: str, where: str, *, image: object = None) -> None:
        """Count one, and keep it."""
        super().add(effect, what, where, image=image)
        self.all.append(Finding(effect, what, where, image))
