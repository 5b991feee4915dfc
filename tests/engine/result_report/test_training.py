import json

from mmdet.engine.result_report.training import training_of


def test_what_is_not_finite_is_no_point(tmp_path):
    log = tmp_path / '20260101_000000/vis_data/scalars.json'
    log.parent.mkdir(parents=True)
    losses = [4.0, float('nan'), 2.0, float('inf')]
    lines = [
        dict(loss=loss, loss_mask=float('nan'), iter=i, step=i) for i, loss in enumerate(losses, 1)
    ]
    log.write_text(''.join(f'{json.dumps(line)}\n' for line in lines))
    curves = training_of(tmp_path)
    assert curves is not None
    assert curves['losses']['loss'] == dict(unit='iteration', xs=[1, 3], ys=[4, 2])
    assert curves['losses']['loss_mask'] == dict(unit='iteration', xs=[], ys=[])
    assert json.dumps(curves, allow_nan=False)
