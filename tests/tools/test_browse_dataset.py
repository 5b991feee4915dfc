"""The pictures of a training's data."""

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from mmdet.cli.browse import main
from mmdet.engine.config.data_root import set_data_root
from mmdet.errors import UserError
from mmdet.registry import DATASETS
from tests.processes import run_tool


def test_pictures_have_the_masks_where_the_objects_are(config, environment, shapes_root, tmp_path):
    run = run_tool(
        *('tools/analysis_tools/browse_dataset.py', config, '--not-show'),
        *('--output-dir', str(tmp_path / 'pictures'), '--data-root', str(shapes_root)),
        *('--cfg-options', f'work_dir={tmp_path}/w'),
        environment=environment,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == f'12 pictures in {tmp_path}/pictures'
    assert [file.name for file in tmp_path.iterdir()] == ['pictures']
    cfg = Config.fromfile(config)
    set_data_root(cfg, str(shapes_root))
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    for index in range(12):
        item = dataset[index]
        image = item['inputs'].permute(1, 2, 0).numpy()
        (path,) = (tmp_path / 'pictures').glob(f'{index}_*')
        change = np.abs(cv2.imread(str(path)).astype(int) - image).max(2)
        inside = item['data_samples'].gt_instances.masks.to_ndarray().any(0)
        # Captions reach beyond them.
        assert change[inside].mean() > 2 * change[~inside].mean()
        assert change[inside].mean() > 15


def test_a_mistake_is_one_line(config, monkeypatch):
    with pytest.raises(UserError, match='name --output-dir'):
        main([config, '--not-show'])
    monkeypatch.delenv('DISPLAY', raising=False)
    with pytest.raises(UserError, match='no display; --not-show --output-dir DIR'):
        main([config])


def test_a_folder_that_cannot_be_written_is_named(config, shapes_root, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='file cannot be written'):
        main(
            [
                config,
                '--not-show',
                '--output-dir',
                f'{tmp_path}/file',
                '--data-root',
                str(shapes_root),
            ]
        )
