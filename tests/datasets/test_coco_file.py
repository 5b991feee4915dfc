"""Annotation files as other programs write them, and what becomes of what is wrong in them."""

import copy
import gc
import json

import pytest

from mmdet.datasets.coco_annotations import check_annotations
from mmdet.datasets.coco_file import category_labels, garbage_left_alone, read_coco_file
from mmdet.datasets.coco_images import check_images
from mmdet.datasets.findings import Findings
from mmdet.errors import UserError

SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]


def annotation(identifier: int, image_id: object = 1, **changes: object) -> dict:
    fields = dict(
        id=identifier,
        image_id=image_id,
        category_id=1,
        bbox=[10, 10, 20, 20],
        area=400,
        iscrowd=0,
        segmentation=[SQUARE],
    )
    return fields | changes


def without(fields: dict, *keys: str) -> dict:
    return {key: value for key, value in fields.items() if key not in keys}


@pytest.fixture
def content() -> dict:
    """Two images of 60 x 40, and an annotation of each."""
    return dict(
        images=[dict(id=i, file_name=f'{i}.jpg', width=60, height=40) for i in (1, 2)],
        annotations=[annotation(1), annotation(2, 2)],
        categories=[dict(id=1, name='cat'), dict(id=2, name='dog')],
    )


@pytest.fixture
def read(tmp_path):
    """Write a file and read it."""

    def write_and_read(content: object):
        path = tmp_path / 'a.json'
        path.write_text(json.dumps(content))
        return read_coco_file(str(path))

    return write_and_read


def test_a_sound_file_is_taken_as_it_is(content, read):
    coco = read(content)
    assert (coco.images, coco.annotations) == (content['images'], content['annotations'])
    assert coco.categories == content['categories']
    assert coco.findings.summary() == ''


# --- What is repaired. ---


@pytest.mark.parametrize(
    ('entry', 'fields', 'said'),
    [
        (annotation(7, '1'), dict(image_id=1), 'with ids of another type'),
        (annotation(7, 1.0), dict(image_id=1), ''),
        (annotation(7, category_id='2'), dict(category_id=2), 'with ids of another type'),
        (annotation(7, bbox=[]), dict(bbox=[10, 10, 20, 20]), 'without a usable box'),
        (annotation(7, bbox=None), dict(bbox=[10, 10, 20, 20]), 'without a usable box'),
        (annotation(7, bbox=[10, 10, 20]), dict(bbox=[10, 10, 20, 20]), 'without a usable box'),
        (annotation(7, bbox=[10, 10, 0, 0]), dict(bbox=[10, 10, 20, 20]), 'without a usable box'),
        (annotation(7, bbox=[30, 30, -20, -20]), dict(bbox=[10, 10, 20, 20]), 'a usable box'),
        (annotation(7, bbox=[10, 10, float('nan'), 20]), dict(bbox=[10, 10, 20, 20]), 'usable box'),
        (annotation(7, bbox={}), dict(bbox=[10, 10, 20, 20]), 'without a usable box'),
        (without(annotation(7), 'bbox'), dict(bbox=[10, 10, 20, 20]), 'without a usable box'),
        (annotation(7, bbox=['10', '10', '20', '20']), dict(bbox=[10, 10, 20, 20]), 'as text'),
        (without(annotation(7), 'area'), dict(area=400), 'without a usable area'),
        (annotation(7, area=None), dict(area=400), 'without a usable area'),
        (annotation(7, area=0), dict(area=400), 'without a usable area'),
        (annotation(7, area='400'), dict(area=400), 'without a usable area'),
        (annotation(7, area=float('nan')), dict(area=400), 'without a usable area'),
        (without(annotation(7), 'iscrowd'), dict(iscrowd=0), ''),
        (annotation(7, iscrowd=None), dict(iscrowd=0), ''),
        (annotation(7, iscrowd='0'), dict(iscrowd=0), ''),
        (annotation(7, iscrowd='1'), dict(iscrowd=1), ''),
        (annotation(7, iscrowd=True), dict(iscrowd=1), ''),
        (annotation(7, segmentation=SQUARE), dict(segmentation=[SQUARE]), 'their outer list'),
        (annotation(7, segmentation=[SQUARE, [1, 2]]), dict(segmentation=[SQUARE]), 'parts of'),
        (without(annotation(7), 'id'), {}, 'without an id of their own'),
        (annotation(2), {}, 'without an id of their own'),
    ],
)
def test_what_can_be_repaired_is_and_is_said(content, read, entry, fields, said):
    content['annotations'].append(entry)
    coco = read(content)
    assert len(coco.annotations) == 3
    repaired = coco.annotations[2]
    assert {key: repaired[key] for key in fields} == fields
    assert repaired['image_id'] == 1
    assert said in coco.findings.summary()
    assert bool(said) == bool(coco.findings.summary())


def test_a_box_from_a_mask_stays_in_the_image(content, read):
    outside = [-5, -3, 70, -3, 70, 45, -5, 45]
    content['annotations'].append(annotation(7, bbox=None, segmentation=[outside]))
    assert read(content).annotations[2]['bbox'] == [0, 0, 60, 40]


def test_box_and_area_come_from_rle_too(content, read):
    rle = dict(size=[40, 60], counts=[400, 30, 2400 - 430])
    content['annotations'].append(annotation(7, bbox=None, area=None, segmentation=rle))
    repaired = read(content).annotations[2]
    assert repaired['bbox'] == [10, 0, 1, 30]
    assert repaired['area'] == 30


@pytest.mark.parametrize('size', [('60', '40'), (60.0, 40.0), ('60.0', 40)])
def test_sizes_become_whole_numbers(content, read, size):
    content['images'][1] |= dict(width=size[0], height=size[1])
    coco = read(content)
    image = coco.images[1]
    assert (image['width'], image['height']) == (60, 40)
    assert type(image['width']) is type(image['height']) is int
    assert '1 images with numbers written as text' in coco.findings.summary()


def test_ids_may_be_text_throughout(content, read):
    for image in content['images']:
        image['id'] = f'{image["id"]}'
    for entry in content['annotations']:
        entry |= dict(id=f'a{entry["id"]}', image_id=f'{entry["image_id"]}', category_id='c1')
    for category in content['categories']:
        category['id'] = f'c{category["id"]}'
    coco = read(content)
    assert [entry['image_id'] for entry in coco.annotations] == ['1', '2']
    assert category_labels(coco, ('dog', 'cat')) == {'c2': 0, 'c1': 1}
    assert coco.findings.summary() == ''


def test_each_image_comes_with_its_annotations(content, read):
    content['images'].append(dict(id=3, file_name='3.jpg', width=60, height=40))
    content['annotations'] += [annotation(3, 1), annotation(4, 2)]
    found = {
        image['file_name']: [each['id'] for each in annotations]
        for image, annotations in read(content).by_image()
    }
    assert found == {'1.jpg': [1, 3], '2.jpg': [2, 4], '3.jpg': []}


def test_ids_are_no_fractions(content, read):
    content['categories'][0]['id'] = 1.0
    content['images'][0]['id'] = 1.0
    coco = read(content)
    identifiers = coco.images[0]['id'], *category_labels(coco, ('cat',))
    assert [type(identifier) for identifier in identifiers] == [int, int]


def test_images_come_in_the_order_of_their_ids(content, read):
    names = ['b', 10, 9, 'a']
    content['images'] += [dict(id=i, file_name=f'{i}.jpg', width=60, height=40) for i in names]
    assert [image['id'] for image in read(content).images] == [1, 2, 9, 10, 'a', 'b']


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'utf-32'])
def test_text_may_have_any_unicode_encoding(content, tmp_path, encoding):
    content['categories'][0]['name'] = 'Käfer'
    path = tmp_path / 'a.json'
    path.write_bytes(json.dumps(content, ensure_ascii=False).encode(encoding))
    assert read_coco_file(str(path)).categories[0]['name'] == 'Käfer'


@pytest.mark.parametrize(
    'change', [lambda c: c.pop('annotations'), lambda c: c.update(annotations=None)]
)
def test_annotations_may_be_missing(content, read, change):
    change(content)
    assert read(content).annotations == []


# --- What is left out. ---


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        (dict(image_id=9), 'of images that the file does not have'),
        (dict(image_id='x'), 'of images that the file does not have'),
        (dict(image_id=None), 'of images that the file does not have'),
        (dict(category_id=9), 'of categories that the file does not have'),
        (dict(category_id=None), 'of categories that the file does not have'),
        (dict(segmentation=None), 'without a mask'),
        (dict(segmentation=[]), 'without a mask'),
        (dict(segmentation=[[1, 1, 2, 2]]), 'fewer than three points'),
        (dict(segmentation=[[1, 1, float('nan'), 2, 3, 3]]), 'not all numbers'),
        (dict(segmentation=[[1, 1, 1e9, 2, 3, 3]]), "a whole image's size out"),
        (dict(segmentation=dict(size=[60, 40], counts=[2400])), 'another size'),
        (dict(segmentation=dict(size=[40, 60], counts='0~')), 'no string of COCO'),
        (dict(segmentation=[[5, 5, 5, 5, 5, 5]], area=None), 'whose mask has no pixel'),
    ],
)
def test_what_cannot_be_used_is_left_out_and_counted(content, read, changes, reason):
    content['annotations'] += [annotation(7, **changes), annotation(8, **changes)]
    coco = read(content)
    assert coco.annotations == content['annotations'][:2]
    summary = coco.findings.summary()
    assert summary.startswith('2 left out: 2 ')
    assert reason in summary
    assert 'annotation 7 of image ' in summary


def test_a_missing_mask_is_left_out(content, read):
    content['annotations'].append(without(annotation(7), 'segmentation'))
    assert '1 without a mask (first: annotation 7 of image 1)' in read(content).findings.summary()


def test_files_of_several_images_are_said(content, read):
    content['images'][1]['file_name'] = '1.jpg'
    assert 'to note: 1 files that several images name (first: 1.jpg)' in (
        read(content).findings.summary()
    )


def test_many_crowds_are_said_since_nothing_is_learned_from_them(content, read):
    content['annotations'] = [annotation(i, iscrowd=i < 3) for i in range(1, 9)]
    assert read(content).findings.summary() == ''
    content['annotations'][7]['iscrowd'] = 'True'
    assert read(content).findings.summary() == (
        '3 to note: 3 marked "iscrowd", from which nothing is learned '
        '(first: annotation 1 of image 1)'
    )


# --- What is refused. ---


def with_boxes(content: dict, *boxes: list) -> dict:
    """Squares in the middle of an image, with these boxes."""
    square = [30, 20, 40, 20, 40, 30, 30, 30]
    entries = [
        annotation(number, bbox=box, segmentation=[square]) for number, box in enumerate(boxes)
    ]
    return {**content, 'annotations': entries}


@pytest.mark.parametrize(
    ('change', 'complaint'),
    [
        (lambda c: [1, 2], 'its top level is no object'),
        (lambda c: None, 'its top level is no object'),
        (lambda c: {}, "no list 'images'"),
        (lambda c: {**c, 'images': None}, "no list 'images'"),
        (lambda c: {**c, 'annotations': {}}, "no list 'annotations'"),
        (lambda c: {**c, 'annotations': [None]}, "entry 0 of 'annotations' is no object"),
        (lambda c: {**c, 'annotations': [dict(id=1)]}, "of 'annotations' has no 'image_id'"),
        (lambda c: without(c, 'categories'), "no list 'categories'"),
        (lambda c: {**c, 'categories': [dict(id=1)]}, "of 'categories' has no 'name'"),
        (lambda c: {**c, 'categories': [dict(id=1, name=None)]}, 'name of category 1 is None'),
        (lambda c: {**c, 'categories': [dict(id=[], name='a')]}, r"'categories' has the id \[\]"),
        (lambda c: {**c, 'images': c['images'] * 2}, "id 1 stands twice in 'images'"),
        (
            lambda c: {**c, 'images': [c['images'][0], {**c['images'][0], 'id': '1'}]},
            "id 1 stands twice in 'images'",
        ),
        (lambda c: {**c, 'categories': c['categories'] * 2}, "id 1 stands twice in 'categories'"),
        (lambda c: {**c, 'images': [{**c['images'][0], 'id': None}]}, "'images' has the id None"),
        (lambda c: {**c, 'images': [{**c['images'][0], 'file_name': None}]}, 'no file_name'),
        *(
            (
                lambda c, size=size: {**c, 'images': [{**c['images'][0], 'height': size}]},
                r'image 1 \(1\.jpg\) has height=',
            )
            for size in (None, 0, -40, 40.5, '40px', float('nan'), 10**9, [40])
        ),
        *(
            (
                lambda c, size=size: {**c, 'images': [c['images'][0] | size]},
                r'image 1 \(1\.jpg\) has height=.* pixels a side at most, .*: cut it into tiles',
            )
            for size in (dict(height=1, width=2_000_000), dict(height=50_000, width=50_000))
        ),
        (
            lambda c: {**c, 'annotations': [annotation(7, segmentation=[])] * 3},
            r'none of its 3 annotations can be used: .*3 without a mask \(first: annotation 7',
        ),
        (
            lambda c: with_boxes(c, [30, 20, 40, 30], [30, 20, 40, 30], [30, 20, 10, 10]),
            r'2 of 3 boxes .* \(first: annotation 0 .*seem to be x1, y1, x2, y2; .*x, y, width',
        ),
        (
            lambda c: with_boxes(c, [0.5, 0.5, 0.2, 0.3], [0.5, 0.5, 0.2, 0.3]),
            r'2 of 2 boxes do not lie around their masks \(first: annotation 0 .*\); COCO',
        ),
    ],
)
def test_what_cannot_be_trusted_is_refused(content, read, change, complaint):
    with pytest.raises(UserError, match=rf'(?s)a\.json.*{complaint}'):
        read(change(content))


def test_some_strange_boxes_are_no_reason(content, read):
    hidden_part = [30, 20, 29, 19]
    boxes = ([30, 20, 10, 10], [29, 20, 11, 10], hidden_part)
    assert len(read(with_boxes(content, *boxes)).annotations) == 3


def test_boxes_at_the_corner_of_the_image_tell_nothing(content, read):
    content['annotations'] = [
        annotation(i, bbox=[0.2, 0, 20, 20], segmentation=[[0, 0, 20, 0, 20, 20, 0, 20]])
        for i in range(3)
    ]
    assert len(read(content).annotations) == 3


@pytest.mark.parametrize('text', ['', 'not json{', '{"images": [', '[' * 100_000, '\udcff'])
def test_what_is_no_json_is_named(tmp_path, text):
    path = tmp_path / 'a.json'
    path.write_bytes(text.encode('utf-8', 'surrogateescape'))
    with pytest.raises(UserError, match=r'a\.json is not JSON'):
        read_coco_file(str(path))


def test_the_garbage_collector_is_as_it_was(content, read):
    assert gc.isenabled()
    read(content)
    assert gc.isenabled()
    with pytest.raises(UserError):
        read({})
    assert gc.isenabled()
    with garbage_left_alone():
        assert not gc.isenabled()
        with garbage_left_alone():
            pass
        assert not gc.isenabled()


# --- Classes. ---


def test_of_two_categories_of_one_name_the_used_one_counts(content, read):
    """Roboflow lists the project as category 0, under the name that a class may have too."""
    content['categories'].insert(0, dict(id=0, name='cat', supercategory='none'))
    assert category_labels(read(content), ('cat', 'dog')) == {1: 0, 2: 1}
    content['annotations'].append(annotation(7, category_id=0))
    with pytest.raises(UserError, match=r"0 and 1 are both named 'cat'.*another name"):
        category_labels(read(content), ('cat', 'dog'))
    assert category_labels(read(content), ('dog',)) == {2: 0}


def test_two_unused_categories_of_one_name_are_one(content, read):
    content['categories'] += [dict(id=3, name='cow'), dict(id=4, name='cow')]
    assert category_labels(read(content), ('cow',)) == {3: 0}


@pytest.mark.parametrize(
    ('classes', 'complaint'),
    [
        ('cat', r"classes='cat' is one text; write classes=\('cat',\)"),
        (('cat', 'cat'), "the class 'cat' stands twice"),
        (('cat', 'cow'), r"a\.json has no category 'cow'; its categories are 'cat', 'dog'"),
    ],
)
def test_wrong_classes_are_named(content, read, classes, complaint):
    with pytest.raises(UserError, match=complaint):
        category_labels(read(content), classes)


# --- Whole files of other programs. ---

ROBOFLOW = """{
 "info": {"year": "2024", "version": "3", "description": "Exported from roboflow.com"},
 "licenses": [{"id": 1, "url": "", "name": "CC BY 4.0"}],
 "categories": [{"id": 0, "name": "bolts", "supercategory": "none"},
                {"id": 1, "name": "bolt", "supercategory": "bolts"}],
 "images": [{"id": 0, "license": 1, "file_name": "a_jpg.rf.1.jpg", "height": 40, "width": 60,
             "date_captured": "2024-01-01T00:00:00+00:00", "extra": {"name": "a.jpg"}}],
 "annotations": [{"id": 0, "image_id": 0, "category_id": 1, "bbox": [10, 10, 20, 20], "area": 400,
                  "segmentation": [[10, 10, 30, 10, 30, 30, 10, 30]], "iscrowd": 0},
                 {"id": 1, "image_id": 0, "category_id": 1, "bbox": [5, 5, 4, 4], "area": 16,
                  "segmentation": [], "iscrowd": 0}]}"""

LABEL_STUDIO = """{
 "images": [{"width": 60, "height": 40, "id": 0, "file_name": "images\\\\0a1b-photo.jpg"}],
 "categories": [{"id": 0, "name": "bolt"}],
 "annotations": [{"id": 0, "image_id": 0, "category_id": 0, "ignore": 0, "iscrowd": 0,
                  "segmentation": [[10.0, 10.0, 30.0, 10.0, 30.0, 30.0, 10.0, 30.0]],
                  "bbox": [10.0, 10.0, 20.0, 20.0], "area": 400.0}],
 "info": {"year": 2024, "version": "1.0", "contributor": "Label Studio"}}"""

CVAT = """{
 "licenses": [{"name": "", "id": 0, "url": ""}],
 "info": {"contributor": "", "date_created": "", "version": ""},
 "categories": [{"id": 1, "name": "bolt", "supercategory": ""}],
 "images": [{"id": 1, "width": 60, "height": 40, "file_name": "a.jpg", "license": 0,
             "flickr_url": "", "coco_url": "", "date_captured": 0}],
 "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "area": 30.0, "iscrowd": 1,
                  "segmentation": {"counts": [400, 30, 1970], "size": [40, 60]},
                  "bbox": [10.0, 0.0, 1.0, 30.0],
                  "attributes": {"occluded": false, "rotation": 0.0}},
                 {"id": 2, "image_id": 1, "category_id": 1, "area": 0.0, "iscrowd": 0,
                  "segmentation": [], "bbox": [4.0, 4.0, 9.0, 9.0], "attributes": {}}]}"""


@pytest.mark.parametrize(
    ('text', 'number', 'said'),
    [
        (ROBOFLOW, 1, '1 without a mask (first: annotation 1 of image 0)'),
        (LABEL_STUDIO, 1, None),
    ],
)
def test_files_of_other_programs(tmp_path, text, number, said):
    path = tmp_path / 'a.json'
    path.write_text(text)
    coco = read_coco_file(str(path))
    assert len(coco.annotations) == number
    assert list(category_labels(coco, ('bolt',)).values()) == [0]
    assert coco.findings.summary() == (f'1 left out: {said}' if said else '')


def test_masks_painted_in_cvat_are_objects(tmp_path):
    """By hand or by its SAM tool; their `iscrowd` says no more than that they are no outlines."""
    (tmp_path / 'a.json').write_text(CVAT)
    coco = read_coco_file(str(tmp_path / 'a.json'))
    (painted,) = coco.annotations
    assert painted['iscrowd'] == 0 and painted['area'] == 30
    assert coco.findings.summary() == (
        '1 left out: 1 without a mask (first: annotation 2 of image 1); '
        '1 repaired: 1 masks painted in CVAT, which marks all such "iscrowd": taken as objects '
        '(first: annotation 1 of image 1)'
    )
    content = json.loads(CVAT)
    content['annotations'][0]['attributes'] = {}  # of another program, or COCO's own
    (tmp_path / 'a.json').write_text(json.dumps(content))
    assert read_coco_file(str(tmp_path / 'a.json')).annotations[0]['iscrowd'] == 1


# https://github.com/HumanSignal/label-studio-sdk, converter/exports/brush_to_coco.py: images and
# annotations that are left out leave gaps, a mask in two parts is two annotations, a rectangle has
# no mask.
LABEL_STUDIO_BRUSH = """{
 "images": [{"id": 2, "file_name": "a.jpg", "path": "/data/upload/3/a.jpg",
             "width": 60, "height": 40},
            {"id": 5, "file_name": "b.jpg", "path": "/data/upload/3/b.jpg",
             "width": 60, "height": 40}],
 "annotations": [{"id": 4, "image_id": 2, "category_id": 1, "iscrowd": 0, "annotator": "me",
                  "segmentation": [[10, 10, 10, 29, 29, 29, 29, 10]],
                  "area": 361, "bbox": [10, 10, 20, 20]},
                 {"id": 9, "image_id": 5, "category_id": 2, "iscrowd": 0, "annotator": "me",
                  "segmentation": [[40, 10, 40, 29, 50, 29]], "area": 95,
                  "bbox": [40, 10, 11, 20]},
                 {"id": 11, "image_id": 5, "category_id": 1, "iscrowd": 0, "annotator": "me",
                  "segmentation": [], "area": 100.0, "bbox": [1.0, 1.0, 10.0, 10.0]}],
 "categories": [{"id": 1, "name": "bolt", "supercategory": "", "color": "#12ab3f", "metadata": {}},
                {"id": 2, "name": "nut", "supercategory": "", "color": "#ab123f", "metadata": {}}],
 "info": {"year": 2025, "version": "1.0", "description": "Converted from Label Studio"}}"""


def test_ids_with_gaps_of_label_studio(tmp_path):
    (tmp_path / 'a.json').write_text(LABEL_STUDIO_BRUSH)
    coco = read_coco_file(str(tmp_path / 'a.json'))
    assert [image['id'] for image in coco.images] == [2, 5]
    assert [(each['id'], each['image_id']) for each in coco.annotations] == [(4, 2), (9, 5)]
    assert category_labels(coco, ('nut', 'bolt')) == {2: 0, 1: 1}
    assert coco.findings.summary() == (
        '1 left out: 1 without a mask (first: annotation 11 of image 5)'
    )


def test_nothing_that_was_given_is_changed(content):
    content['images'][0]['height'] = '40'
    content['annotations'].append(annotation(3, '1', bbox=None, segmentation=[SQUARE, [1]]))
    before = copy.deepcopy(content)
    images = check_images(content['images'], Findings())
    check_annotations(content['annotations'], images, content['categories'], Findings())
    assert content == before
