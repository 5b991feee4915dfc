"""tools/analysis_tools/analyze_logs.py, on what a training left."""

from mmdet.cli.analyze_logs import main
from mmdet.engine.run_log import read_log
from tests.processes import run_tool

TOOL = 'tools/analysis_tools/analyze_logs.py'


def test_a_work_directory(trained, tmp_path):
    out = tmp_path / 'curves.png'
    main(['plot_curve', str(trained), '--keys', 'loss_mask', 'coco/segm_mAP', '--out', str(out)])
    assert out.is_file()
    log = read_log(str(trained))
    assert log.series('loss_mask').xs == [1, 2, 3, 4, 5, 6]
    assert log.series('coco/segm_mAP').xs == [1, 2]


def test_what_is_no_log_is_one_line(trained, environment):
    (text,) = map(str, trained.glob('*/*.log'))
    run = run_tool(TOOL, 'cal_train_time', text, environment=environment)
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert line.startswith(f'error: {text} is no log of a training')
