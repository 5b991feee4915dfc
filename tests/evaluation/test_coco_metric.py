import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmdet.datasets.shapes import CLASSES
from mmdet.errors import UserError
from mmdet.evaluation import CocoMetric
from mmdet.evaluation.coco_metric import FIGURES, _table
from mmdet.structures import RLEMasks
from mmdet.structures.segmentation import as_rle

META = dict(classes=CLASSES)


@pytest.fixture
def truth(shapes_root) -> dict:
    """The validation split, with a crowd region and an image of nothing but it."""
    content = json.loads((shapes_root / 'annotations/instances_val2017.json').read_text())
    content['annotations'][0]['iscrowd'] = 1
    (image,) = [i for i in content['images'] if i['id'] == content['annotations'][0]['image_id']]
    crowd = np.eye(image['height'], image['width'], dtype=np.uint8)
    rle = coco_mask.encode(np.asfortranarray(crowd))
    content['annotations'][0]['segmentation'] = dict(
        size=rle['size'], counts=rle['counts'].decode()
    )
    return content


@pytest.fixture
def ann_file(truth, tmp_path) -> str:
    path = tmp_path / 'truth.json'
    path.write_text(json.dumps(truth))
    return str(path)


def detections_for(truth: dict, seed: int = 0) -> list[dict]:
    """Samples as a detector gives them: the truth, shifted, sometimes of another class."""
    rng = np.random.default_rng(seed)
    samples = []
    for image in truth['images']:
        scores, labels, rles = [], [], []
        for annotation in truth['annotations']:
            if annotation['image_id'] != image['id'] or annotation['iscrowd']:
                continue
            segmentation = annotation['segmentation']
            rle = coco_mask.frPyObjects(segmentation, image['height'], image['width'])
            rle = coco_mask.merge(rle) if isinstance(segmentation, list) else rle
            for _ in range(2):
                bitmap = np.roll(coco_mask.decode(rle), rng.integers(-4, 5, 2), (0, 1))
                rles.append(coco_mask.encode(np.asfortranarray(bitmap)))
                scores.append(rng.random())
                label = annotation['category_id'] - 1
                labels.append(label if rng.random() < 0.8 else int(rng.integers(len(CLASSES))))
        order = np.argsort(scores)[::-1].astype(int)
        samples.append(
            dict(
                img_id=image['id'],
                pred_instances=dict(
                    scores=torch.tensor([scores[i] for i in order]),
                    labels=torch.tensor([labels[i] for i in order], dtype=torch.long),
                    masks=RLEMasks([rles[i] for i in order], image['height'], image['width']),
                ),
            )
        )
    return samples


def evaluate(metric: CocoMetric, samples: list[dict]) -> dict[str, float]:
    metric.dataset_meta = META
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def pycocotools_figures(ann_file: str, results: list[dict], kind: str = 'segm') -> COCOeval:
    truth = COCO(ann_file)
    evaluation = COCOeval(truth, truth.loadRes(results), kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation


def test_figures_are_pycocotools(truth, ann_file, tmp_path):
    out = tmp_path / 'results.json'
    metric = CocoMetric(ann_file, metric=['segm', 'bbox'], classwise=True, result_file=str(out))
    figures = evaluate(metric, detections_for(truth))
    for kind in ('segm', 'bbox'):
        results = json.loads(out.read_text())
        if kind == 'bbox':  # then pycocotools takes a detection's size from its box
            for each in results:
                each['bbox'] = coco_mask.toBbox(each['segmentation']).tolist()
        expected = pycocotools_figures(ann_file, results, kind)
        ours = [figures[f'coco/{kind}_{name}'] for name in FIGURES]
        np.testing.assert_allclose(ours, expected.stats, atol=1e-9)
        assert 0.1 < ours[0] < 0.95
        precision = expected.eval['precision'][:, :, :, 0, -1]
        for label, name in enumerate(CLASSES):
            values = precision[:, :, label]
            wanted = values[values > -1].mean() if (values > -1).any() else -1
            assert figures[f'coco/{kind}_mAP_{name}'] == pytest.approx(wanted)


def with_instances(truth: dict, samples: list[dict]) -> list[dict]:
    """Samples with what there is to find, as `PackDetInputs` hands it over."""
    sizes = {image['id']: (image['height'], image['width']) for image in truth['images']}
    instances: dict[int, list] = {identifier: [] for identifier in sizes}
    for each in truth['annotations']:
        x, y, width, height = each['bbox']
        instance = dict(
            bbox=[x, y, x + width, y + height],
            bbox_label=each['category_id'] - 1,
            mask=each['segmentation'],
            ignore_flag=each['iscrowd'],
        )
        instances[each['image_id']].append(instance)
    return [
        {**each, 'instances': instances[each['img_id']], 'ori_shape': sizes[each['img_id']]}
        for each in samples
    ]


def test_without_a_file_it_measures_against_the_samples(truth, ann_file, tmp_path):
    samples = with_instances(truth, detections_for(truth))
    arguments = dict(metric=['segm', 'bbox'], classwise=True)
    by_file = CocoMetric(ann_file, result_file=str(tmp_path / 'file.json'), **arguments)
    by_samples = CocoMetric(result_file=str(tmp_path / 'samples.json'), **arguments)
    assert evaluate(by_samples, samples) == evaluate(by_file, samples)
    assert (tmp_path / 'samples.json').read_text() == (tmp_path / 'file.json').read_text()


def test_without_a_file_an_image_that_was_seen_twice_counts_once(truth):
    samples = with_instances(truth, detections_for(truth))
    assert evaluate(CocoMetric(), samples + samples[:3]) == evaluate(CocoMetric(), samples)


def test_without_a_file_the_samples_must_have_instances(truth):
    with pytest.raises(UserError, match="add 'instances' to the meta_keys of PackDetInputs"):
        evaluate(CocoMetric(), detections_for(truth))


def test_an_image_counts_once(truth, ann_file):
    samples = detections_for(truth)
    once = evaluate(CocoMetric(ann_file), samples)
    metric = CocoMetric(ann_file)
    metric.dataset_meta = META
    metric.process({}, samples)
    metric.process({}, samples[:3])  # as where two processes shared out seven images
    twice = metric.evaluate(len(samples) + 3)
    assert once == twice


def test_evaluating_twice_gives_the_same(truth, ann_file):
    metric = CocoMetric(ann_file)
    assert evaluate(metric, detections_for(truth)) == evaluate(metric, detections_for(truth))


def test_the_order_in_which_images_come_does_not_matter(truth, ann_file):
    """Of equal scores, that of the file's first image comes first, as pycocotools has it."""
    samples = detections_for(truth)
    for sample in samples:
        found = sample['pred_instances']
        found['scores'] = (found['scores'] * 4).round() / 4
    arguments = dict(metric=['segm', 'bbox'], classwise=True)
    whole = evaluate(CocoMetric(ann_file, **arguments), samples)
    assert evaluate(CocoMetric(ann_file, **arguments), samples[::-1]) == whole
    by_order = [
        evaluate(CocoMetric(**arguments), with_instances(truth, some))
        for some in (samples, samples[::-1])
    ]
    assert by_order[0] != by_order[1]  # there are ties that matter


@pytest.mark.parametrize('with_file', [True, False])
def test_two_processes_send_little_and_the_figures_are_the_same(truth, ann_file, with_file):
    samples = detections_for(truth)
    samples = samples if with_file else with_instances(truth, samples)
    whole = CocoMetric(ann_file if with_file else None, metric=['segm', 'bbox'], classwise=True)
    first, second = copy.deepcopy(whole), copy.deepcopy(whole)
    expected = evaluate(whole, samples)
    for metric, some in ((first, samples[::2]), (second, samples[1::2])):
        metric.dataset_meta = META
        metric.process({}, some)
    sent = pickle.dumps(second.results)
    found = [len(sample['pred_instances']['scores']) for sample in samples[1::2]]
    assert len(sent) < 60 * sum(found) + 600 * len(found)  # of both metrics
    first.results += pickle.loads(sent)
    # Without a file the images are in the order in which they came.
    assert first.evaluate(len(samples)) == (expected if with_file else pytest.approx(expected))


def test_nothing_detected_is_zero_and_a_valid_file(truth, ann_file, tmp_path):
    empty = dict(
        scores=torch.zeros(0), labels=torch.zeros(0, dtype=torch.long), masks=RLEMasks([], 9, 9)
    )
    samples = [dict(img_id=image['id'], pred_instances=empty) for image in truth['images']]
    metric = CocoMetric(ann_file, classwise=True, outfile_prefix=str(tmp_path / 'a' / 'none'))
    figures = evaluate(metric, samples)
    assert figures['coco/segm_mAP'] == 0
    assert json.loads((tmp_path / 'a' / 'none.segm.json').read_text()) == []


def test_a_subset_of_classes_in_another_order(truth, ann_file):
    """Labels follow the data set's classes, not the file's."""
    chosen = ('heart', 'ring', 'star')
    samples = detections_for(truth)
    for sample in samples:
        found = sample['pred_instances']
        keep = [i for i, label in enumerate(found['labels']) if CLASSES[label] in chosen]
        found['labels'] = torch.tensor(
            [chosen.index(CLASSES[found['labels'][i]]) for i in keep], dtype=torch.long
        )
        found['scores'], found['masks'] = found['scores'][keep], found['masks'][keep]
    metric = CocoMetric(ann_file, classwise=True)
    metric.dataset_meta = dict(classes=chosen)
    metric.process({}, samples)
    some = metric.evaluate(len(samples))
    every = evaluate(CocoMetric(ann_file, classwise=True), detections_for(truth))
    for name in chosen:
        key = f'coco/segm_mAP_{name}'
        assert some[key] == pytest.approx(every[key])
    assert 'coco/segm_mAP_ellipse' not in some


def write(truth: dict, tmp_path) -> str:
    path = tmp_path / 'changed.json'
    path.write_text(json.dumps(truth))
    return str(path)


def test_ids_may_be_text(truth, ann_file, tmp_path):
    """The engine knows numbers alone; the results are written with the file's own ids."""
    expected = evaluate(CocoMetric(ann_file), detections_for(truth))
    for image in truth['images']:
        image['id'] = f'i{image["id"]}'
    for annotation in truth['annotations']:
        annotation['image_id'] = f'i{annotation["image_id"]}'
        annotation['id'] = f'a{annotation["id"]}'
        annotation['category_id'] = str(annotation['category_id'])
    for category in truth['categories']:
        category['id'] = str(category['id'])
    out = tmp_path / 'results.json'
    metric = CocoMetric(write(truth, tmp_path), result_file=str(out))
    samples = [dict(sample, img_id=f'i{sample["img_id"]}') for sample in detections_for_ids(truth)]
    assert evaluate(metric, samples) == expected
    assert {found['category_id'] for found in json.loads(out.read_text())} <= set('12345678')


def detections_for_ids(truth: dict) -> list[dict]:
    """Those of `detections_for`, of a truth whose ids have become text."""
    plain = copy.deepcopy(truth)
    for image in plain['images']:
        image['id'] = int(image['id'][1:])
    for annotation in plain['annotations']:
        annotation['image_id'] = int(annotation['image_id'][1:])
        annotation['category_id'] = int(annotation['category_id'])
    return detections_for(plain)


@pytest.mark.parametrize(
    'renumber',
    [
        lambda number: 20 - number,  # with a 0, which the engine takes for "no match"
        lambda number: 7,  # all the same
        lambda number: None,
    ],
)
def test_ids_of_annotations_do_not_matter(truth, ann_file, tmp_path, renumber):
    expected = evaluate(CocoMetric(ann_file), detections_for(truth))
    truth['annotations'].append(truth['annotations'].pop(0))  # a crowd, which matches nothing
    for number, annotation in enumerate(truth['annotations']):
        annotation['id'] = renumber(number)
        if annotation['id'] is None:
            del annotation['id']
    changed = write(truth, tmp_path)
    assert evaluate(CocoMetric(changed), detections_for(truth)) == expected


def test_areas_and_boxes_may_be_missing(truth, tmp_path):
    decoded = copy.deepcopy(truth)
    sizes = {image['id']: (image['height'], image['width']) for image in truth['images']}
    for annotation in decoded['annotations']:
        rle = as_rle(annotation['segmentation'], *sizes[annotation['image_id']])
        annotation['area'] = float(coco_mask.area(rle))
    whole = evaluate(CocoMetric(write(decoded, tmp_path)), detections_for(truth))
    for annotation in truth['annotations']:
        del annotation['area'], annotation['bbox']
    assert evaluate(CocoMetric(write(truth, tmp_path)), detections_for(truth)) == whole


def test_what_is_left_out_is_nothing_to_find(truth, ann_file, tmp_path):
    """pycocotools stops at the first of these, or never."""
    samples = detections_for(truth)
    expected = evaluate(CocoMetric(ann_file, ['segm', 'bbox']), samples)
    broken = (
        [],
        [[1, 1, 5, 5]],
        [[1, 1, float('nan'), 5, 5, 5]],
        [[1, 1, 1e9, 5, 5, 5]],
        dict(size=[3, 3], counts=[9]),
        dict(size=[240, 320], counts='zzz'),
        None,
    )
    truth['annotations'] += [
        dict(truth['annotations'][-1], id=10_000 + i, segmentation=segmentation)
        for i, segmentation in enumerate(broken)
    ]
    metric = CocoMetric(write(truth, tmp_path), ['segm', 'bbox'])
    assert evaluate(metric, samples) == expected


def test_the_file_is_read_before_it_is_needed(truth, ann_file, tmp_path):
    metric = CocoMetric(ann_file)
    metric.dataset_meta = META
    metric.prepare()
    copied = write(truth, tmp_path)
    late = CocoMetric(copied)
    late.dataset_meta = META
    late.prepare()
    late.prepare()
    Path(copied).unlink()  # it is not read again
    samples = detections_for(truth)
    assert evaluate(late, samples) == evaluate(metric, samples)
    missing = CocoMetric(copied)
    missing.dataset_meta = META
    with pytest.raises(UserError, match=r'changed\.json does not exist'):
        missing.prepare()
    wrong = CocoMetric(ann_file)
    wrong.dataset_meta = dict(classes=('star', 'horse'))
    with pytest.raises(UserError, match="no category 'horse'"):
        wrong.prepare()


def test_what_is_left_out_is_said(truth, tmp_path, caplog):
    truth['annotations'][3]['segmentation'] = []
    metric = CocoMetric(write(truth, tmp_path))
    metric.dataset_meta = META
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        metric.prepare()
    finally:
        logger.removeHandler(caplog.handler)
    (message,) = [record.message for record in caplog.records if record.levelname == 'WARNING']
    assert 'changed.json: 1 left out: 1 without a mask' in message


def test_without_images_or_annotations_there_is_no_figure(truth, ann_file, tmp_path):
    out = tmp_path / 'results.json'
    assert evaluate(CocoMetric(ann_file, result_file=str(out)), [])['coco/segm_mAP'] == 0
    assert json.loads(out.read_text()) == []
    truth['annotations'] = []
    nothing = write(truth, tmp_path)
    assert evaluate(CocoMetric(nothing, classwise=True), [])['coco/segm_mAP'] == -1
    truth['images'] = []
    figures = evaluate(CocoMetric(write(truth, tmp_path), classwise=True), [])
    assert len(figures) == len(FIGURES) + len(CLASSES) and set(figures.values()) == {0}


def test_images_of_another_file_are_named(truth, ann_file):
    samples = detections_for(truth)
    samples[0]['img_id'] = 12345
    with pytest.raises(UserError, match=r'truth\.json has no image 12345.*same annotation file'):
        evaluate(CocoMetric(ann_file), samples)


def test_format_only_writes_and_computes_nothing(truth, ann_file, tmp_path):
    metric = CocoMetric(ann_file, format_only=True, outfile_prefix=str(tmp_path / 'test'))
    assert evaluate(metric, detections_for(truth)) == {}
    written = json.loads((tmp_path / 'test.segm.json').read_text())
    assert set(written[0]) == {'image_id', 'category_id', 'score', 'segmentation'}


def test_chosen_figures_at_chosen_thresholds(truth, ann_file):
    every = evaluate(CocoMetric(ann_file), detections_for(truth))
    items = ['mAP', 'mAP_50', 'mAP_75']
    at_half = evaluate(
        CocoMetric(ann_file, iou_thrs=0.5, metric_items=items), detections_for(truth)
    )
    half = every['coco/segm_mAP_50']
    assert at_half == {
        'coco/segm_mAP': half,
        'coco/segm_mAP_50': half,
        'coco/segm_mAP_75': -1,
    }
    both = evaluate(CocoMetric(ann_file, iou_thrs=[0.5, 0.75]), detections_for(truth))
    assert both['coco/segm_mAP'] == pytest.approx((half + every['coco/segm_mAP_75']) / 2)


def test_the_annotation_file_comes_through_a_backend(truth, ann_file):
    local = CocoMetric(ann_file, backend_args=dict(backend='local'))
    assert evaluate(local, detections_for(truth))['coco/segm_mAP'] > 0
    with pytest.raises(UserError, match=r'truth\.json'):
        evaluate(CocoMetric(ann_file, backend_args=dict(backend='tape')), detections_for(truth))


def test_wrong_arguments_are_named(ann_file):
    with pytest.raises(UserError, match="no metric_items 'AP'; known are mAP, mAP_50"):
        CocoMetric(ann_file, metric_items=['mAP', 'AP'])
    with pytest.raises(UserError, match="no metric 'proposal'"):
        CocoMetric(ann_file, metric='proposal')
    with pytest.raises(UserError, match='outfile_prefix'):
        CocoMetric(ann_file, format_only=True)


def test_figures_stand_in_columns_from_top_to_bottom():
    lines = _table(('class', 'AP'), dict(nut=0.5, bolt=-1.0, pin=0.12345), columns=2).splitlines()
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines if '|' in line]
    assert rows == [
        ['class', 'AP', 'class', 'AP'],
        ['nut', '0.500', 'pin', '0.123'],
        ['bolt', '-', '', ''],
    ]
