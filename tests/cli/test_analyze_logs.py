"""`mmdet-solo analyze-logs`: what is drawn and printed, and what it does not write over."""

import json
from pathlib import Path

import matplotlib
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from mmdet.cli.analyze_logs import main
from mmdet.errors import UserError


def log(path: Path, *, times: list[list[float]], score: float = 0.1, by_epoch: bool = True) -> str:
    """A file with a step for each of the times, of each epoch, and a validation after it."""
    lines, iteration = [], 0
    for epoch, steps in enumerate(times, 1):
        for time in steps:
            iteration += 1
            counted = dict(epoch=epoch) if by_epoch else {}
            lines.append(
                dict(loss=1 / iteration, lr=0.1, time=time, **counted, iter=iteration)
                | dict(step=iteration)
            )
        lines.append({'coco/segm_mAP': score * epoch, 'step': epoch if by_epoch else iteration})
    path.write_text('\n'.join(map(json.dumps, lines)) + '\n')
    return str(path)


@pytest.fixture
def drawn(monkeypatch) -> list[Figure]:
    """The figures that were saved."""
    figures, save = [], Figure.savefig

    def noting(self: Figure, *args: object, **kwargs: object) -> None:
        figures.append(self)
        save(self, *args, **kwargs)

    monkeypatch.setattr(Figure, 'savefig', noting)
    return figures


@pytest.fixture
def logs(tmp_path) -> list[str]:
    return [
        log(tmp_path / 'a.json', times=[[1, 2, 3], [5, 4, 4]]),
        log(tmp_path / 'b.json', times=[[1, 2, 3], [5, 4, 4]], score=0.2),
        log(tmp_path / 'c.json', times=[[1, 2, 3], [5, 4, 4]], by_epoch=False),
    ]


def curves(figure: Figure) -> dict:
    """By the panel's title and horizontal: the name of each curve, and its points."""
    return {
        (axes.get_title(), axes.get_xlabel()): {
            line.get_label(): line.get_xydata().tolist() for line in axes.lines
        }
        for axes in figure.axes
    }


def test_several_trainings_in_one_picture(logs, drawn, tmp_path, capsys):
    out = tmp_path / 'new/curves.png'
    legend = ('loss a', 'AP a', 'loss b', 'AP b', 'loss c', 'AP c')
    options = ('--legend', *legend, '--title', 'Mine', '--out', str(out))
    main(['plot_curve', *logs, '--keys', 'loss', 'coco/segm_mAP', *options])
    losses = [[step, pytest.approx(1 / step)] for step in range(1, 7)]
    (figure,) = drawn
    assert curves(figure) == {
        ('training', 'iteration'): {'loss a': losses, 'loss b': losses, 'loss c': losses},
        ('validation', 'epoch'): {'AP a': [[1, 0.1], [2, 0.2]], 'AP b': [[1, 0.2], [2, 0.4]]},
        ('validation', 'iteration'): {'AP c': [[3, 0.1], [6, 0.2]]},
    }
    assert figure.get_suptitle() == 'Mine'
    assert out.read_bytes().startswith(b'\x89PNG')
    assert capsys.readouterr().out == f'curves: {out}\n'


def test_names_say_log_and_key_where_there_is_no_legend(logs, drawn, tmp_path):
    main(['plot_curve', logs[0], '--out', str(tmp_path / 'a.png')])
    assert curves(drawn[0]) == {
        ('validation', 'epoch'): {f'{logs[0]}_coco/segm_mAP': [[1, 0.1], [2, 0.2]]}
    }


def test_epochs_may_be_chosen(logs, drawn, tmp_path):
    out = ('--legend', 'loss', 'AP', '--out', str(tmp_path / 'a.png'))
    keys = ('--keys', 'loss', 'segm_mAP')
    main(['plot_curve', logs[0], *keys, '--start-epoch', '2', *out])
    training, validation = curves(drawn[0]).values()
    assert [x for x, _ in training['loss']] == [4, 5, 6]
    assert validation == {'AP': [[2, 0.2]]}
    main(['plot_curve', logs[0], *keys, '--eval-interval', '2', *out])
    training, validation = curves(drawn[1]).values()
    assert len(training['loss']) == 6
    assert validation == {'AP': [[2, 0.2]]}


@pytest.mark.parametrize('kind', ['png', 'pdf', 'svg'])
def test_its_own_picture_alone_is_written_over(logs, tmp_path, kind):
    out = tmp_path / f'a.{kind}'
    out.write_bytes(b'mine')
    draw = ['plot_curve', *logs, '--out', str(out)]
    with pytest.raises(UserError, match='exists, and was not made by this command'):
        main(draw)
    assert out.read_bytes() == b'mine'
    out.unlink()
    main(draw)
    main(draw)


def test_style_and_backend_are_used(logs, drawn, tmp_path):
    out = ('--out', str(tmp_path / 'a.png'))
    main(['plot_curve', logs[0], *out])
    main(['plot_curve', logs[0], '--style', 'dark_background', *out])
    plain, dark = (figure.axes[0].get_facecolor() for figure in drawn)
    assert plain == (1, 1, 1, 1) and dark == (0, 0, 0, 1)
    main(['plot_curve', logs[0], '--style', 'dark', *out])  # seaborn's
    assert drawn[2].axes[0].get_facecolor() not in (plain, dark)
    assert matplotlib.rcParams['axes.facecolor'] == 'white'
    before = matplotlib.get_backend()
    try:
        main(['plot_curve', logs[0], '--backend', 'svg', *out])
        assert matplotlib.get_backend() == 'svg'
    finally:
        pyplot.close('all')
        pyplot.switch_backend(before)


def test_without_out_a_window_shows_it(logs, monkeypatch):
    shown = []
    monkeypatch.setattr(pyplot, 'get_backend', lambda: 'qtagg')
    monkeypatch.setattr(pyplot, 'show', lambda: shown.append(curves(pyplot.gcf())))
    main(['plot_curve', logs[0], '--keys', 'lr', '--legend', 'lr'])
    pyplot.close('all')
    assert list(shown[0]) == [('training', 'iteration')]


def refused(*arguments: str) -> str:
    with pytest.raises(UserError) as error:
        main(list(arguments))
    return str(error.value)


def test_mistakes(logs, tmp_path, monkeypatch):
    monkeypatch.setattr(pyplot, 'get_backend', lambda: 'agg')
    assert refused('plot_curve', logs[0]) == (
        'no window can be opened (matplotlib draws with agg): name --out FILE.png'
    )
    out = ('--out', str(tmp_path / 'a.png'))
    assert refused('plot_curve', *logs, '--legend', 'a', 'b', *out) == (
        '--legend has 2 names for 3 logs x 1 keys: give it 3'
    )
    assert refused('plot_curve', *logs, '--keys', 'los', *out).startswith(
        f"--keys los: {logs[0]} has no such key; did you mean 'loss'? It has loss, lr, time, coco/"
    )
    assert 'matplotlib has no such style; there are' in refused(
        *('plot_curve', logs[0], '--style', 'none', *out)
    )
    assert refused('plot_curve', logs[0], '--backend', 'none', *out).startswith(
        '--backend none cannot be used: '
    )
    assert refused('plot_curve', logs[0], '--out', 'a.gif') == (
        '--out a.gif: a picture is a .png, .pdf, .svg file'
    )
    assert 'counts iterations, not epochs' in refused(
        *('plot_curve', logs[2], '--keys', 'loss', '--start-epoch', '2', *out)
    )
    assert refused('plot_curve', logs[0], '--start-epoch', '9', *out) == (
        f'nothing to draw: {logs[0]} has no value of an epoch from 9 on'
    )
    assert '1 or more' in refused('plot_curve', logs[0], '--eval-interval', '0', *out)
    assert not Path(out[1]).exists()


def test_times(logs, capsys):
    main(['cal_train_time', logs[0], logs[2]])
    assert capsys.readouterr().out.splitlines() == [
        f'-----Analyze train time of {logs[0]}-----',
        'slowest epoch 2, average time is 4.0000 s/iter',
        'fastest epoch 1, average time is 2.5000 s/iter',
        'time std over epochs is 0.7500',
        'average iter time: 3.2500 s/iter',
        '',
        f'-----Analyze train time of {logs[2]}-----',
        'average iter time: 3.6000 s/iter',  # without the first of all
        '',
    ]
    main(['cal_train_time', logs[0], '--include-outliers'])
    assert 'fastest epoch 1, average time is 2.0000 s/iter' in capsys.readouterr().out


def test_no_times(tmp_path):
    once = log(tmp_path / 'once.json', times=[[1], [2]])
    assert 'one value an epoch' in refused('cal_train_time', once)
    main(['cal_train_time', once, '--include-outliers'])
    none = log(tmp_path / 'none.json', times=[[], []])
    assert 'has no times of training steps' in refused('cal_train_time', none)
