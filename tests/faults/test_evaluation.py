"""Few images, no images, nothing detected: over any number of processes the figures of one."""

import copy
import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.structures import InstanceData

from mmdet.cli.test import main
from mmdet.datasets.shapes import CLASSES
from mmdet.registry import MODELS
from tests.conftest import REPO
from tests.evaluation.test_coco_metric import detections_for
from tests.faults import side_by_side

SHAPES = REPO / 'configs/solo/solo_r18_fpn_shapes-cpu.py'


@MODELS.register_module()
class Oracle(BaseModel):
    """Detects what `detections_for` makes of the truth, or nothing."""

    def __init__(self, ann_file: str, blind: bool) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        truth = json.loads(Path(ann_file).read_text())
        self.found = {each['img_id']: each['pred_instances'] for each in detections_for(truth)}
        self.blind = blind

    def forward(self, inputs, data_samples, mode):
        results = [sample.new() for sample in data_samples]
        for result in results:
            found = InstanceData(**self.found[result.img_id])
            result.pred_instances = found[:0] if self.blind else found
        return results


@pytest.fixture
def tested(shapes_root, tmp_path):
    """Test on the first images of the data set, and return figures, detections and output."""
    checkpoint = tmp_path / 'a.pth'
    torch.save(dict(state_dict=dict(weight=torch.zeros(1))), checkpoint)
    truth = json.loads((shapes_root / 'annotations/instances_val2017.json').read_text())

    def test(*, images: int, processes: int, blind: bool = False) -> tuple[dict, list, str]:
        folder = tmp_path / f'{images}-{processes}'
        folder.mkdir()
        some = copy.deepcopy(truth)
        some['images'] = some['images'][:images]
        ids = {image['id'] for image in some['images']}
        some['annotations'] = [a for a in some['annotations'] if a['image_id'] in ids]
        (folder / 'truth.json').write_text(json.dumps(some))
        cfg = Config.fromfile(SHAPES)
        cfg.model = dict(type='Oracle', ann_file=str(folder / 'truth.json'), blind=blind)
        cfg.test_dataloader.dataset.update(
            type='CocoDataset',
            ann_file=str(folder / 'truth.json'),
            data_root=str(shapes_root),
            metainfo=dict(classes=CLASSES),
        )
        cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
        cfg.test_evaluator.ann_file = str(folder / 'truth.json')
        cfg.experiment_name = cfg.visualizer.name = str(folder)
        cfg.dump(folder / 'settings.py')
        options = ['--work-dir', str(folder / 'w'), '--out', str(folder / 'out.json')]
        options += ['--launcher', 'pytorch'] if processes > 1 else []
        arguments = [str(folder / 'settings.py'), str(checkpoint), *options]
        codes = side_by_side.run(lambda _: main(arguments), folder, processes=processes)
        output = (folder / 'output_0').read_text()
        assert set(codes) == {0}, output
        figures = json.loads((folder / 'w/metrics.json').read_text())
        return figures, json.loads((folder / 'out.json').read_text()), output

    return test


@pytest.mark.parametrize(
    ('images', 'processes'),
    [(3, 2), (1, 2), pytest.param(2, 5, marks=pytest.mark.long)],
)
def test_each_image_is_scored_once(tested, images, processes):
    one, of_one, _ = tested(images=images, processes=1)
    several, of_several, _ = tested(images=images, processes=processes)
    assert 0.1 < one['coco/segm_mAP'] < 0.95
    assert several == pytest.approx(one, abs=1e-6)
    assert len({detection['image_id'] for detection in of_one}) == images
    assert of_several == of_one


@pytest.mark.parametrize(
    ('images', 'line'),
    [(3, 'nothing was detected'), (0, 'there are no images')],
)
@pytest.mark.parametrize('processes', [1, pytest.param(2, marks=pytest.mark.long)])
def test_nothing_to_score(tested, images, line, processes):
    figures, detections, output = tested(images=images, processes=processes, blind=True)
    assert detections == []
    assert figures['coco/segm_mAP'] == figures['coco/segm_mAP_ellipse'] == 0
    assert f'{line}, so that there is nothing to score' in output
