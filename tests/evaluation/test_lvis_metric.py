"""Against the figures of LVIS's own API, lvis 0.5.3, of the set that `made` makes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

from mmdet.errors import UserError
from mmdet.evaluation import LVISMetric
from mmdet.evaluation.lvis_metric import LVIS_FIGURES
from mmdet.structures import RLEMasks

HEIGHT, WIDTH = 200, 260
IDS = (3, 4, 9, 12, 13, 20, 31, 32, 40)
CLASSES = tuple(f'class {number}' for number in IDS)
# lvis.LVISEval(lvis.LVIS(truth), results, kind).run(), of the files that `write_made` writes.
FIGURES_OF_LVIS = dict(
    segm=(
        0.374219454,
        0.488310199,
        0.399028524,
        0.191815796,
        0.486425618,
        0.924236799,
        0.483917233,
        0.453677962,
        0.185063167,
        0.778518519,
        0.52,
        0.808002646,
        0.955416667,
    ),
    bbox=(
        0.248713128,
        0.322593711,
        0.258719058,
        0.275197049,
        0.284841553,
        0.697374523,
        0.27644525,
        0.340189653,
        0.129504483,
        0.609259259,
        0.59,
        0.570224868,
        0.897916667,
    ),
)


def ellipse(random: np.random.RandomState, largest: int) -> dict:
    """Return the RLE of an ellipse somewhere."""
    x, y = random.randint(WIDTH), random.randint(HEIGHT)
    axes = random.randint(3, largest, 2)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    inside = ((columns - x) / axes[0]) ** 2 + ((rows - y) / axes[1]) ** 2 <= 1
    return coco_mask.encode(np.asfortranarray(inside.astype(np.uint8)))


def shifted(random: np.random.RandomState, rle: dict) -> dict:
    bitmap = np.roll(coco_mask.decode(rle), random.randint(-3, 4, 2), (0, 1))
    return coco_mask.encode(np.asfortranarray(bitmap))


def made() -> tuple[dict, dict[int, list[dict]]]:
    """Return annotations as LVIS has them, and detections by image, of which one has very many."""
    random = np.random.RandomState(0)
    frequencies = [*'rcf'] * 3
    content = dict(
        images=[],
        annotations=[],
        categories=[
            dict(id=number, name=name, frequency=frequency)
            for number, name, frequency in zip(IDS, CLASSES, frequencies, strict=True)
        ],
    )
    found: dict[int, list[dict]] = {}
    for image_id in range(1, 13):
        shuffled = [IDS[index] for index in random.permutation(len(IDS))]
        present, absent = shuffled[:3], shuffled[3:5]
        content['images'].append(
            dict(
                id=image_id,
                coco_url=f'http://images.cocodataset.org/val2017/{image_id:012}.jpg',
                height=HEIGHT,
                width=WIDTH,
                neg_category_ids=absent,
                not_exhaustive_category_ids=present[:1],
            )
        )
        found[image_id] = []
        for category in present * 2:
            rle = ellipse(random, 100)
            annotation = dict(
                id=len(content['annotations']) + 1,
                image_id=image_id,
                category_id=category,
                segmentation=dict(size=rle['size'], counts=rle['counts'].decode()),
                bbox=coco_mask.toBbox(rle).tolist(),
                area=int(coco_mask.area(rle)),
            )
            content['annotations'].append(annotation)
            for _ in range(2):
                guess = category if random.rand() < 0.8 else IDS[random.randint(len(IDS))]
                found[image_id].append(dict(category_id=guess, rle=shifted(random, rle)))
        for _ in range(400 if image_id == 5 else 6):
            guess = IDS[random.randint(len(IDS))]
            found[image_id].append(dict(category_id=guess, rle=ellipse(random, 30)))
        for each in found[image_id]:
            each['score'] = round(float(random.rand()), 6)
    return content, found


def write_made(folder: Path) -> None:
    """Write both as LVIS's own API reads them."""
    content, found = made()
    (folder / 'truth.json').write_text(json.dumps(content))
    results = [
        dict(
            image_id=image_id,
            category_id=each['category_id'],
            score=each['score'],
            segmentation=dict(size=each['rle']['size'], counts=each['rle']['counts'].decode()),
            bbox=coco_mask.toBbox(each['rle']).tolist(),
        )
        for image_id, some in found.items()
        for each in some
    ]
    (folder / 'results.json').write_text(json.dumps(results))


def samples_of(found: dict[int, list[dict]]) -> list[dict]:
    """Return detections as a detector gives them."""
    return [
        dict(
            img_id=image_id,
            pred_instances=dict(
                scores=torch.tensor([each['score'] for each in some], dtype=torch.float64),
                labels=torch.tensor([IDS.index(each['category_id']) for each in some]),
                masks=RLEMasks([each['rle'] for each in some], HEIGHT, WIDTH),
            ),
        )
        for image_id, some in found.items()
    ]


def evaluate(metric: LVISMetric, samples: list[dict], classes: tuple = CLASSES) -> dict[str, float]:
    metric.dataset_meta = dict(classes=classes)
    metric.process({}, samples)
    return metric.evaluate(len(samples))


@pytest.fixture
def truth(tmp_path) -> Path:
    write_made(tmp_path)
    return tmp_path / 'truth.json'


def change(path: Path, section: str, **fields: object) -> str:
    """Change the first entry of a section; None takes a field away."""
    content = json.loads(path.read_text())
    entry = content[section][0] | fields
    content[section][0] = {name: value for name, value in entry.items() if value is not None}
    path.write_text(json.dumps(content))
    return str(path)


def test_figures_are_those_of_lvis(truth):
    metric = LVISMetric(str(truth), metric=['segm', 'bbox'], classwise=True)
    figures = evaluate(metric, samples_of(made()[1]))
    for kind, expected in FIGURES_OF_LVIS.items():
        ours = [figures[f'lvis/{kind}_{name}'] for name in LVIS_FIGURES]
        np.testing.assert_allclose(ours, expected, atol=1e-8)
    assert metric.reported() == list(figures)
    by_class = [figures[f'lvis/segm_AP_{name}'] for name in CLASSES]
    assert np.mean(by_class) == pytest.approx(figures['lvis/segm_AP'])


def square(left: int) -> dict:
    bitmap = np.zeros((HEIGHT, WIDTH), np.uint8)
    bitmap[10:50, left : left + 40] = 1
    return coco_mask.encode(np.asfortranarray(bitmap))


@pytest.mark.parametrize(
    ('fields', 'expected'),
    [
        (dict(neg_category_ids=[], not_exhaustive_category_ids=[]), (1, 0.5)),
        (dict(neg_category_ids=[3], not_exhaustive_category_ids=[]), (0.5, 0.5)),
        (dict(neg_category_ids=[], not_exhaustive_category_ids=[4]), (1, 1)),
    ],
)
def test_worked_by_hand(tmp_path, fields, expected):
    """Two images, of which the second has an object of class 4, and none of class 3.

    What is found first is wrong: there it is a second object of class 4, and one of class 3, which
    is of no account unless the image is said to have none.
    """
    size = dict(file_name='a.jpg', height=HEIGHT, width=WIDTH)
    nothing = dict(neg_category_ids=[], not_exhaustive_category_ids=[])
    truths = [(1, 3, square(0)), (2, 4, square(0))]
    content = dict(
        images=[dict(id=1, **size, **nothing), dict(id=2, **size, **fields)],
        categories=[dict(id=3, name='cat', frequency='r'), dict(id=4, name='dog', frequency='f')],
        annotations=[
            dict(
                id=number,
                image_id=image,
                category_id=category,
                bbox=[0, 10, 40, 40],
                area=1600,
                segmentation=dict(size=rle['size'], counts=rle['counts'].decode()),
            )
            for number, (image, category, rle) in enumerate(truths, start=1)
        ],
    )
    (tmp_path / 'truth.json').write_text(json.dumps(content))
    found = {
        1: [dict(category_id=3, score=0.5, rle=square(0))],
        2: [
            dict(category_id=4, score=0.5, rle=square(0)),
            dict(category_id=4, score=0.9, rle=square(100)),
            dict(category_id=3, score=0.9, rle=square(100)),
        ],
    }
    metric = LVISMetric(str(tmp_path / 'truth.json'))
    figures = evaluate(metric, samples_of(found), classes=('cat', 'dog'))
    assert (figures['lvis/segm_APr'], figures['lvis/segm_APf']) == pytest.approx(expected)
    assert figures['lvis/segm_APc'] == -1
    assert figures['lvis/segm_AP'] == pytest.approx(sum(expected) / 2)


def test_some_classes_in_another_order(truth):
    both = (CLASSES[4], CLASSES[1])
    found = {
        image_id: [each for each in some if each['category_id'] in (IDS[1], IDS[4])]
        for image_id, some in made()[1].items()
        if image_id != 5  # all of whose detections are too many
    }
    samples = samples_of(found)
    for sample in samples:
        labels = sample['pred_instances']['labels']
        sample['pred_instances']['labels'] = (labels == 1).long()
    metric = LVISMetric(str(truth), classwise=True, metric_items=['AP'])
    figures = evaluate(metric, samples, classes=both)
    whole = evaluate(LVISMetric(str(truth), classwise=True), samples_of(found))
    assert set(figures) == {'lvis/segm_AP', *(f'lvis/segm_AP_{name}' for name in both)}
    for name in both:
        assert figures[f'lvis/segm_AP_{name}'] == whole[f'lvis/segm_AP_{name}'] > 0


def test_it_writes_the_best_300_by_the_ids_of_the_file(truth, tmp_path):
    metric = LVISMetric(str(truth), outfile_prefix=str(tmp_path / 'out'), format_only=True)
    assert evaluate(metric, samples_of(made()[1])) == {}
    results = json.loads((tmp_path / 'out.segm.json').read_text())
    of_many = [each['score'] for each in results if each['image_id'] == 5]
    assert len(of_many) == 300
    assert min(of_many) == sorted((each['score'] for each in made()[1][5]), reverse=True)[299]
    assert {each['category_id'] for each in results} == set(IDS)


def test_nothing_found(truth):
    figures = evaluate(LVISMetric(str(truth)), samples_of({1: []}))
    assert figures['lvis/segm_AP'] == 0 and figures['lvis/segm_AR@300'] == 0


@pytest.mark.parametrize(
    ('section', 'fields', 'message'),
    [
        ('images', dict(neg_category_ids=None), "image 1 has no list 'neg_category_ids'"),
        ('images', dict(not_exhaustive_category_ids=3), "no list 'not_exhaustive_category_ids'"),
        ('categories', dict(frequency='x'), "frequency of category 'class 3' is 'x'"),
    ],
)
def test_another_file_than_lvis_is_refused(truth, section, fields, message):
    metric = LVISMetric(change(truth, section, **fields))
    metric.dataset_meta = dict(classes=CLASSES)
    with pytest.raises(UserError, match=rf"truth\.json is not LVIS's: .*{message}"):
        metric.prepare()


def test_it_needs_its_file():
    for measure in (LVISMetric().prepare, lambda: LVISMetric().compute_metrics([])):
        with pytest.raises(UserError, match='LVISMetric needs ann_file'):
            measure()


def test_arguments_that_are_none(truth):
    for arguments, message in (
        (dict(metric='keypoints'), "LVISMetric has no metric 'keypoints'"),
        (dict(metric_items=['mAP']), "LVISMetric has no metric_items 'mAP'; known are AP, AP50"),
        (dict(format_only=True), 'LVISMetric with format_only needs outfile_prefix'),
    ):
        with pytest.raises(UserError, match=message):
            LVISMetric(str(truth), **arguments)
