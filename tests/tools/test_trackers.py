"""Programs that follow trainings: one line of a config each, and they get what the log gets.

Nothing is sent anywhere: MLflow and Weights & Biases write into the work directory.
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmdet.cli.train import main
from mmdet.engine.run_log import RunLog, read_log

pytest.importorskip('tensorboard')
mlflow = pytest.importorskip('mlflow')
wandb = pytest.importorskip('wandb')

BACKENDS = [
    dict(type='LocalVisBackend'),
    dict(type='TensorboardVisBackend'),
    dict(type='MLflowVisBackend', exp_name='shapes'),
    dict(type='WandbVisBackend', init_kwargs=dict(mode='offline')),
]
KEYS = ('loss', 'loss_mask', 'loss_cls', 'lr', 'grad_norm', 'coco/segm_mAP', 'coco/segm_AR@100')


@pytest.fixture(scope='module')
def followed(tmp_path_factory, config, shapes_root) -> Iterator[Path]:
    """The work directory of an epoch of training that all of them followed."""
    folder = tmp_path_factory.mktemp('followed')
    mine = folder / 'mine.py'
    mine.write_text(f"_base_ = '{config}'\nvisualizer = dict(vis_backends={BACKENDS})\n")
    options = ('--data-root', str(shapes_root), '--cfg-options', 'train_cfg.max_epochs=1')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('MLFLOW_ALLOW_FILE_STORE', 'true')
        patch.setenv('WANDB_SILENT', 'true')
        main([str(mine), '--work-dir', str(folder / 'w'), *options])
        yield folder / 'w'


@pytest.fixture(scope='module')
def log(followed) -> RunLog:
    return read_log(str(followed))


def test_tensorboard(followed, log):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (data,) = followed.glob('*/vis_data')
    events = EventAccumulator(str(data))
    events.Reload()
    for key in KEYS:
        series = log.series(key)
        scalars = events.Scalars(key)
        assert [each.step for each in scalars] == series.xs
        assert [each.value for each in scalars] == pytest.approx(series.ys)


def test_mlflow(followed, log):
    (data,) = followed.glob('*/vis_data')
    client = mlflow.MlflowClient(f'file://{data}')
    (run,) = client.search_runs([client.get_experiment_by_name('shapes').experiment_id])
    assert run.info.status == 'FINISHED'
    for key in KEYS:
        series = log.series(key)
        metrics = client.get_metric_history(run.info.run_id, key.replace('@', '_'))
        assert [each.step for each in metrics] == series.xs
        assert [each.value for each in metrics] == pytest.approx(series.ys)


def records(path: Path) -> Iterator[bytes]:
    """The records of a run's file: as LevelDB's log has them, in blocks of 32 KiB."""
    data, place, record = path.read_bytes(), 7, b''  # after what says whose file it is
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        length, kind = struct.unpack('<HB', data[place + 4 : place + 7])  # after a checksum
        record += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or its last part
            yield record
            record = b''


def test_weights_and_biases(followed, log):
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = followed.glob('*/vis_data/wandb/offline-run-*/run-*.wandb')
    found: dict[str, list[float]] = {}
    for data in records(path):
        record = Record()
        record.ParseFromString(data)
        for item in record.history.item:
            key = item.key or '/'.join(item.nested_key)
            found.setdefault(key, []).append(json.loads(item.value_json))
    for key in KEYS:
        assert found[key] == pytest.approx(log.series(key).ys)
