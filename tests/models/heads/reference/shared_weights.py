"""The weights of the cases in `../shared`, which follow from names and shapes, too."""

import importlib.util
from collections.abc import Callable
from pathlib import Path


def fill_of(shared: Path) -> Callable[[dict], None]:
    """Return what overwrites every tensor of a state dict."""
    path = shared / 'reference/fill_weights.py'
    spec = importlib.util.spec_from_file_location('fill_weights', path)
    assert spec is not None and spec.loader is not None
    fill_weights = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill_weights)
    return fill_weights.fill
