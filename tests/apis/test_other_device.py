"""A model on a device that is not the CPU: pictures go there, and results come back."""

import torch

from mmdet.apis import DetInferencer, inference_detector, init_detector, predict
from tests.apis.videos import scene


def test_results_are_on_the_cpu(config, checkpoint, other_device, tmp_path):
    model = init_detector(config, checkpoint, device=other_device)
    assert next(model.parameters()).device == other_device
    sample = inference_detector(model, scene(0))
    for value in sample.pred_instances.values():
        assert type(value) is torch.Tensor and value.device.type == 'cpu'
    assert sample.pred_instances.masks.any()

    (found,) = predict(model, scene(0))
    assert len(found) == len(found.to_coco()) == 5
    found.save(tmp_path / 'a.png')

    inferencer = DetInferencer(config, checkpoint, str(other_device), show_progress=False)
    assert next(inferencer.model.parameters()).device == other_device
    result = inferencer([scene(0), scene(1)], batch_size=2, return_vis=True)
    assert len(result['predictions'][1]['masks']) == 5
