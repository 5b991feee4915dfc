import json

from mmdet.datasets.conversion.to_coco import write_coco

from .mixed import CLASSES, OBJECTS, assert_same, masks, read, write_mixed


def test_all_is_kept(tmp_path):
    collection = read(write_mixed(tmp_path / 'in', names=('x/a.png', 'b.png')))
    (tmp_path / 'out').mkdir()
    assert not write_coco(collection, tmp_path / 'out', link=False).summary()
    path = tmp_path / 'out/annotations/instances_train.json'
    content = json.loads(path.read_text())
    before = json.loads((tmp_path / 'in/result.json').read_text())
    assert content['images'] == before['images']
    assert [each['name'] for each in content['categories']] == list(CLASSES)
    for one, other in zip(content['annotations'], before['annotations'], strict=True):
        assert {key: one[key] for key in other} == other
    for name in ('x/a.png', 'b.png'):
        copied = (tmp_path / 'out/train' / name).read_bytes()
        assert copied == (tmp_path / 'in/images' / name).read_bytes()
    again = read(tmp_path / 'out')
    assert_same(masks(collection), masks(again))
    crowds = [each['note'] for each in again.parts['train'][0].annotations if each['iscrowd']]
    assert crowds == ['crowd']


def test_ids_that_stand_twice_are_numbered_anew(tmp_path):
    collection = read(write_mixed(tmp_path / 'in'))
    collection.parts['train'] *= 2
    (tmp_path / 'out').mkdir()
    write_coco(collection, tmp_path / 'out', link=False)
    content = json.loads((tmp_path / 'out/annotations/instances_train.json').read_text())
    assert [each['id'] for each in content['images']] == [1, 2, 3, 4]
    assert [each['id'] for each in content['annotations']] == list(range(1, 2 * len(OBJECTS) + 1))
    assert {each['image_id'] for each in content['annotations']} == {1, 3}


def test_ids_that_are_no_numbers_from_1_on(tmp_path):
    collection = read(write_mixed(tmp_path / 'in'))
    first, *_ = collection.parts['train'][0].annotations
    first['id'] = 0
    collection.parts['train'][1].image['id'] = 'b'
    (tmp_path / 'out').mkdir()
    write_coco(collection, tmp_path / 'out', link=False)
    content = json.loads((tmp_path / 'out/annotations/instances_train.json').read_text())
    assert [each['id'] for each in content['images']] == [1, 2]
    assert [each['id'] for each in content['annotations']] == list(range(1, len(OBJECTS) + 1))
