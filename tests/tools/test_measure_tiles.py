"""tools/analysis_tools/measure_tiles.py."""

import re

from tests.processes import run_tool


def test_a_mistake_is_one_line(environment):
    run = run_tool('tools/analysis_tools/measure_tiles.py', 'none.pth', environment=environment)
    assert (run.returncode, run.stderr) == (2, 'error: checkpoint none.pth does not exist\n')


def test_a_row_for_each_way_of_looking(trained, environment):
    run = run_tool(
        *('tools/analysis_tools/measure_tiles.py', str(trained / 'epoch_2.pth')),
        *('--images', '1', '--tile', '300', '400', '--overlaps', '0', '0.3'),
        environment=environment,
    )
    assert run.returncode == 0, run.stderr
    head, *rows = run.stdout.splitlines()
    assert re.fullmatch(r'1 images of \(960, 1280\), [1-9]\d* objects', head)
    assert [row.split(' AP ')[0].strip() for row in rows] == [
        *('whole', 'whole, scaled down to a tile'),
        *('tiles, overlap 0.0', 'tiles, overlap 0.3'),
    ]
    assert all(0 <= float(figure) <= 1 for row in rows for figure in re.findall(r'0\.\d{3}', row))
