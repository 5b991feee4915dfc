import logging
from pathlib import Path

import pytest
from mmengine.logging import MMLogger, print_log

from mmdet.engine.console import LogFile, arrange_handlers


def logger_of(name: str, file: Path, *, level: str = 'INFO') -> MMLogger:
    logger = MMLogger.get_instance(name, log_file=str(file), log_level=level, file_mode='a')
    arrange_handlers(logger, level)
    return logger


def say_as_mmengine(message: str, level: int = logging.INFO, module: str = 'runner.runner') -> None:
    """Log as a module of mmengine's does, where one can be made to."""
    namespace = {'__name__': f'mmengine.{module}', 'print_log': print_log}
    exec(f'print_log({message!r}, "current", {level})', namespace)


def test_mmengines_lines_about_progress_and_all_of_others(tmp_path, capsys):
    logger_of('screen', tmp_path / 'log')
    lines = {
        'System environment: x': False,
        'Epoch(train) [1][1/3]  loss: 1.0': True,
        'Epoch(val) [1][3/3]    coco/segm_mAP: 0.1': False,
        'Epoch(val) [1][3/3]    my/accuracy: 0.1': True,
        'Epoch(val) [1][3/3]    coco/segm_mAP: 0.1  my/accuracy: 0.1  time: 1': True,
        'Epoch(val) [1][3/3]    coco/bbox_mAP: 0.1  coco/bbox_mAP_50: 0.1  time: 1': False,
        'resumed epoch: 1, iter: 3': True,
    }
    for line in lines:
        say_as_mmengine(line)
    say_as_mmengine('of importance', logging.WARNING)
    say_as_mmengine('"FileClient" will be deprecated in future.', logging.WARNING)
    print_log('advice', 'current')
    seen = [line.partition('  ')[2] for line in capsys.readouterr().out.splitlines()]
    shown = [line for line, is_shown in lines.items() if is_shown]
    assert seen == [*shown, 'warning: of importance', 'advice']
    written = (tmp_path / 'log').read_text()
    assert all(line in written for line in (*lines, 'of importance', 'FileClient', 'advice'))


def test_why_a_training_ends_early_is_shown(tmp_path, capsys):
    logger_of('early', tmp_path / 'log')
    say_as_mmengine('no better for 3 epochs: stop', module='hooks.early_stopping_hook')
    assert 'no better for 3 epochs: stop' in capsys.readouterr().out


def test_debug_shows_all(tmp_path, capsys):
    logger_of('debug', tmp_path / 'log', level='DEBUG')
    say_as_mmengine('System environment: x')
    assert 'System environment' in capsys.readouterr().out


def test_a_full_disk_is_said_once(tmp_path, capsys):
    """Where nothing can be written: a device that is always full."""
    if not Path('/dev/full').exists():
        pytest.skip('there is no /dev/full')
    file = LogFile('/dev/full', mode='a')
    logger = logging.getLogger('test_a_full_disk')
    logger.addHandler(file)
    logger.propagate = False
    logger.warning('one')
    logger.warning('two')
    printed = capsys.readouterr().err
    assert printed.count('warning: /dev/full cannot be written') == 1
    assert len(printed.splitlines()) == 1
    logger.removeHandler(file)
