"""Repairs of annotations that worker processes read; other tests are where trainings run."""

import json
import logging
from types import SimpleNamespace

import pytest
from torch.utils.data import DataLoader

from mmdet.datasets import SA1BDataset
from mmdet.engine.placed_data import batches_from, placed
from mmdet.engine.unusable_images import UnusableImages
from tests.datasets.formats.test_sa1b import PIPELINE, root  # noqa: F401  # a fixture


def spoil(path) -> None:
    """Take the boxes away, and write a mark that nothing is learned from."""
    content = json.loads(path.read_text())
    for annotation in content['annotations']:
        del annotation['bbox']
    content['annotations'][0]['ignore'] = 1
    path.write_text(json.dumps(content))


@pytest.mark.parametrize('workers', [0, 2])
def test_the_first_of_each_kind_is_said_and_all_are_counted_at_the_end(root, workers, caplog):  # noqa: F811
    path = root / 'sa_000000/a.json'
    number = len(json.loads(path.read_text())['annotations'])
    spoil(path)
    dataset = SA1BDataset(data_root=str(root), data_prefix=dict(img=''), pipeline=PIPELINE)
    loader = placed(DataLoader(dataset, batch_size=1, num_workers=workers, collate_fn=list), seed=0)
    runner = SimpleNamespace(
        logger=logging.getLogger('test'), message_hub=SimpleNamespace(runtime_info={})
    )
    unusable = UnusableImages(runner, loader)
    with unusable.listed_at_end():
        for epoch in range(2):
            for _ in batches_from(loader, epoch=epoch, first=0):
                unusable.collect()
        said = [record.message for record in caplog.records if record.name == 'test']
    repaired = f'without a usable box: taken from the mask (first: {path}: annotation 0)'
    assert f'{root}/: repaired, as it is read: {repaired}' in said
    assert len(said) == 2 and 'not trained on, as it is read: marked "ignore"' in ''.join(said)
    (end,) = [record.message for record in caplog.records if record.name == 'test'][2:]
    assert 'as often as it was read: 2 not trained on: 2 marked "ignore"' in end
    assert f'{2 * number} repaired: {2 * number} {repaired}' in end
