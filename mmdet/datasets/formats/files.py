"""Files in folders of folders."""

import os


def files_below(folder: str, suffixes: tuple[str, ...]) -> list[str]:
    """Return the files in a folder and in those below it, by their names from there.

    Args:
        folder: that may be missing: then there are none.
        suffixes: how their names end, in small letters.
    """
    return sorted(
        os.path.relpath(os.path.join(parent, name), folder).replace(os.sep, '/')
        for parent, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(suffixes)
    )
