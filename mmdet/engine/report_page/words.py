"""Numbers as the reports say them."""


def percent(share: float) -> str:
    """Return a share as text, exact enough that few are not none, and most are not all.

    Examples:
        >>> percent(0.00004), percent(0.25), percent(0.9999), percent(1.0)
        ('< 0.1 %', '25 %', '99.99 %', '100 %')
    """
    if 0 < share < 0.001:
        return '< 0.1 %'
    digits = 2 if 0.999 < share < 1 else 1
    # Nothing short of all is rounded to it.
    percents = round(min(100 * share, 99.99 if share < 1 else 100), digits)
    return f'{percents:g} %'


def of_all(number: int, total: int, what: str) -> str:
    """Say a number of some, and its share.

    Examples:
        >>> of_all(3, 400, 'images')
        '3 of 400 images (0.8 %)'
    """
    return f'{number:,} of {total:,} {what} ({percent(number / total)})'
