"""`mmdet-solo print-config`: what is printed and written is what a training would run."""

import json

import pytest
from mmengine.config import Config

from mmdet.cli.print_config import main
from mmdet.errors import UserError
from tests.conftest import REPO
from tests.test_configs import load

CONFIG = 'configs/solo/solo_r18_fpn_shapes-cpu.py'


@pytest.mark.parametrize('kind', ['py', 'json', 'yml'])
def test_what_is_written_runs_as_the_config_does(tmp_path, shapes_root, capsys, kind):
    options = ('--data-root', str(shapes_root), '--cfg-options', 'optim_wrapper.optimizer.lr=0.5')
    saved = tmp_path / f'new/saved.{kind}'
    shown = main([CONFIG, '--save-path', str(saved), *options])
    printed = tmp_path / 'printed.py'
    printed.write_text(capsys.readouterr().out)
    expected = load(CONFIG, *options).to_dict()
    assert expected['optim_wrapper']['optimizer']['lr'] == 0.5
    assert expected['train_dataloader']['dataset']['data_root'] == str(shapes_root)
    assert shown.to_dict() == load(str(printed)).to_dict() == expected
    again = load(str(saved)).to_dict()
    if kind == 'json':  # which has no tuples
        again, expected = (json.loads(json.dumps(each)) for each in (again, expected))
    assert again == expected


def test_infinity_is_python(tmp_path, capsys):
    path, printed = tmp_path / 'mine.py', tmp_path / 'printed.py'
    ranges = '((1, 2), (2, 4), (4, 8), (8, 16), (16, float("inf")))'
    path.write_text(
        f"_base_ = '{REPO / CONFIG}'\nmodel = dict(mask_head=dict(scale_ranges={ranges}))\n"
    )
    main([str(path)])
    printed.write_text(capsys.readouterr().out)
    assert Config.fromfile(printed).model.mask_head.scale_ranges[4] == (16, float('inf'))


def refused(*arguments: str) -> str:
    with pytest.raises(UserError) as error:
        main(list(arguments))
    return str(error.value)


def test_mistakes(tmp_path, capsys):
    theirs = tmp_path / 'theirs.py'
    theirs.write_text('a = 1\n')
    assert refused(CONFIG, '--save-path', str(theirs)).endswith('name another file, or remove it')
    assert theirs.read_text() == 'a = 1\n'
    assert 'a config is a .py, .json' in refused(CONFIG, '--save-path', str(tmp_path / 'a.txt'))
    assert "did you mean 'optim_wrapper'" in refused(CONFIG, '--cfg-options', 'optim_wraper.a=1')
    assert capsys.readouterr().out == ''
