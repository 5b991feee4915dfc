import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data._utils.pin_memory import pin_memory

from tests.samples import sample_of


def test_a_loader_pins_all_of_a_sample(monkeypatch):
    """As torch's loader does it; a copy of each tensor stands for one in pinned memory."""
    copies = []

    def copy(tensor: torch.Tensor) -> torch.Tensor:
        copies.append(tensor.clone())
        return copies[-1]

    monkeypatch.setattr(torch.Tensor, 'pin_memory', copy)
    sample = sample_of([(8, 8, 60, 60)], [2])
    batch = pin_memory(pseudo_collate([dict(inputs=torch.zeros(3, 96, 128), data_samples=sample)]))
    (pinned,) = batch['data_samples']
    truth = pinned.gt_instances
    assert len(copies) == 4
    for tensor in (truth.bboxes, truth.labels, truth.masks.bits):
        assert any(tensor is each for each in copies)
    assert truth.masks.to_ndarray().sum() == 52 * 52
    assert pinned.img_shape == (96, 128)
    assert not any(sample.gt_instances.masks.bits is each for each in copies)


def test_a_sample_is_on_the_host_after_cpu(other_device):
    sample = sample_of([(8, 8, 60, 60)]).to(other_device)
    assert sample.gt_instances.masks.bits.device == other_device
    truth = sample.cpu().gt_instances
    assert {truth.bboxes.device.type, truth.labels.device.type} == {'cpu'}
    assert truth.masks.bits.device.type == 'cpu'
