import pytest

from mmdet.engine.checkpoint import safe_load


@pytest.fixture
def log(monkeypatch) -> list[str]:
    """What is logged while checkpoints are loaded."""
    lines = []
    monkeypatch.setattr(safe_load, 'print_log', lambda message, logger: lines.append(message))
    return lines
