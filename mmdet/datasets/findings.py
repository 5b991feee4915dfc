"""What was found in an annotation file: counted, and said in a line with the first of each."""

LEFT_OUT = 'left out'
UNTRAINED = 'not trained on'
REPAIRED = 'repaired'
NOTICED = 'to note'


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
        self._counts: dict[str, dict[str, int]] = {
            effect: {} for effect in (LEFT_OUT, UNTRAINED, REPAIRED, NOTICED)
        }
        self._first: dict[tuple[str, str], str] = {}

    def add(self, effect: str, what: str, where: str) -> None:
        """Count one.

        Args:
            effect: `LEFT_OUT`, `UNTRAINED`, `REPAIRED` or `NOTICED`.
            what: is wrong, to be read behind a number.
            where: it is.
        """
        counts = self._counts[effect]
        counts[what] = counts.get(what, 0) + 1
        self._first.setdefault((effect, what), where)

    def count(self, effect: str) -> int:
        """Return how many there are of an effect."""
        return sum(self._counts[effect].values())

    def summary(self) -> str:
        """Return all of it in one line, the most frequent first; empty where there is nothing."""
        return '; '.join(
            f'{self.count(effect)} {effect}: {self._details(effect)}'
            for effect in self._counts
            if self._counts[effect]
        )

    def _details(self, effect: str) -> str:
        by_frequency = sorted(self._counts[effect].items(), key=lambda item: -item[1])
        return ', '.join(
            f'{count} {what} (first: {self._first[effect, what]})' for what, count in by_frequency
        )
