"""What of a results file is read, and what it may make the reader do: nothing."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger

from mmdet.errors import UserError
from mmdet.evaluation.analysis import TestImages, read_results
from mmdet.evaluation.analysis.plain_pickle import load_plain
from mmdet.structures.segmentation import json_rle
from mmdet.utils.known_pickle import ForbiddenNameError
from tests.evaluation.analysis.scenes import HEIGHT, WIDTH, polygon, rle_of

IMAGES = TestImages('truth.json', {7: (HEIGHT, WIDTH), '08': (HEIGHT, WIDTH)}, [3, 1, 'x'])
BOXES = [(0, 0, 50, 40), (10, 20, 90, 100)]
RLES = [rle_of(box) for box in BOXES]
WANTED = dict(img_id=7, scores=[0.75, 0.5], labels=[1, 0], rles=RLES)


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable, *args: object) -> None:
        self.reduced = (function, args)

    def __reduce__(self):
        return self.reduced


def sample(**changes: object) -> dict:
    """A sample as mmengine's `DumpResults` has it, which has NumPy's numbers, too."""
    found = dict(
        scores=torch.tensor([0.75, 0.5]),
        labels=torch.tensor([1, 0]),
        bboxes=torch.tensor(BOXES, dtype=torch.float32),
        masks=[dict(rle) for rle in RLES],
    )
    changed = {name: changes.pop(name) for name in list(changes) if name in found}
    return dict(
        dict(
            img_id=7,
            ori_shape=(HEIGHT, WIDTH),
            scale_factor=(np.float64(2.0), np.array([1.0, 2.0])),
            pred_instances={**found, **changed},
        ),
        **changes,
    )


def entries() -> list[dict]:
    """The same as COCO's results."""
    return [
        dict(image_id=7, category_id=1, score=0.75, segmentation=json_rle(RLES[0])),
        dict(image_id=7, category_id=3, score=0.5, segmentation=json_rle(RLES[1])),
    ]


def written(folder: Path, content: object) -> str:
    """Write a pickle of samples, JSON of a list of dicts with `image_id`, or bytes as they are."""
    path = folder / 'results'
    if not isinstance(content, bytes):
        is_json = not isinstance(content, list) or bool(content and 'image_id' in content[0])
        content = json.dumps(content).encode() if is_json else pickle.dumps(content)
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize('protocol', range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_of_samples(tmp_path, protocol):
    path = written(tmp_path, pickle.dumps([sample()], protocol=protocol))
    assert read_results(path, IMAGES) == [WANTED]


def test_cocos_results(tmp_path):
    other = dict(image_id='08', category_id='x', score=1, segmentation=polygon(BOXES[0]))
    third = dict(
        image_id=7.0,
        category_id='1',
        score=0.25,
        segmentation=dict(size=[HEIGHT, WIDTH], counts=[HEIGHT * WIDTH - 5, 5]),
    )
    first, second = read_results(written(tmp_path, [*entries(), other, third]), IMAGES)
    assert (first['scores'], first['labels']) == ([0.75, 0.5, 0.25], [1, 0, 1])
    assert first['rles'][:2] == RLES
    assert second == dict(img_id='08', scores=[1.0], labels=[2], rles=RLES[:1])
    assert read_results(written(tmp_path, b' [] '), IMAGES) == []


RLE = RLES[0]


@pytest.mark.parametrize(
    ('content', 'complaint'),
    [
        (b'', 'is empty; expected what tools/test.py --out writes'),
        (b'\n\n', 'is empty'),
        (pickle.dumps([sample()])[:-40], 'is cut off or damaged'),
        (json.dumps(entries()).encode()[:-40], 'is cut off or damaged'),
        (pickle.dumps(dict(state_dict={})), 'holds a dict; expected what'),
        (b'PK\3\4 a checkpoint', 'is no results file'),
        (b'\xff\xd8\xff\xe0 a picture', 'is no results file'),
        (dict(images=[], annotations=[], categories=[]), 'holds annotations, not what was found'),
        (dict(coco=0.5), 'holds no list'),
        (pickle.dumps([[np.zeros((0, 5))]]), r'sample 0 has no img_id'),
        (pickle.dumps([dict(img_id=7)]), 'sample 0 has no pred_instances'),
        (
            [sample(img_id=9), sample(img_id='a')],
            r"has the image id 9, 'a', which truth.json lacks",
        ),
        ([sample(labels=torch.tensor([1, 3]))], 'has the label 3, and the test 3 classes'),
        ([sample(labels=torch.tensor([-1, 1]))], 'has the label -1'),
        ([sample(masks=RLES[:1])], '2 scores, 2 labels and 1 masks'),
        ([sample(masks=torch.zeros(2, 9, 9))], 'has no masks as RLE: are these results of boxes'),
        ([sample(scores=[0.5, 0.5])], 'has no scores as a tensor'),
        ([sample(masks=[RLE, dict(RLE, size=[9, 9])])], r'a mask of \[9, 9\] .* of \[200, 300\]'),
        ([sample(masks=[RLE, dict(RLE, counts=b'02')])], 'run lengths do not add up to its size'),
        ([sample(masks=[RLE, dict(RLE, counts=b'\xff')])], 'a mask that is no RLE of COCO'),
        ([sample(masks=[RLE, dict(RLE, counts=[1])])], 'a mask that is no RLE'),
        ([sample(masks=[RLE, dict(RLE, size=7)])], 'a mask that is no RLE'),
        ([sample(masks=[RLE, 7])], 'a mask that is no RLE'),
        ([dict(image_id=7, bbox=[0, 0, 5, 5])], 'entry 0 has no category_id'),
        ([{**entries()[0], 'segmentation': None}], 'entry 0 has no segmentation: .* of boxes'),
        ([{**entries()[0], 'segmentation': 'x'}], 'entry 0 is one whose segmentation'),
        ([{**entries()[0], 'score': 'high'}], "the score 'high', which is no number"),
        (
            [{**entries()[0], 'image_id': i} for i in range(9, 20)],
            'image id 9, 10, 11, 12, 13 and 6',
        ),
        ([{**entries()[0], 'category_id': 2}], 'the category id 2, which truth.json lacks'),
        ([entries()[0], 7], 'entry 1 is no object'),
    ],
)
def test_what_is_refused(tmp_path, content, complaint):
    path = written(tmp_path, content)
    with pytest.raises(UserError, match=complaint) as refused:
        read_results(path, IMAGES)
    assert path in str(refused.value)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(UserError, match=r'none.pkl does not exist'):
        read_results(str(tmp_path / 'none.pkl'), IMAGES)
    with pytest.raises(UserError, match='is a folder: name a file in it'):
        read_results(str(tmp_path), IMAGES)


@pytest.mark.parametrize(
    'bomb',
    [
        Call(exec, "raise SystemExit('a results file ran code')"),
        Call(getattr, 'x', 'upper'),
        Call(torch.load, 'x.pth'),
        Call(pickle.loads, b''),
        torch.nn.Linear(1, 1),
        Path('x'),
    ],
)
def test_nothing_is_run(tmp_path, bomb):
    for content in (bomb, [sample(img_path=bomb)], [sample(scores=bomb)]):
        with pytest.raises(ForbiddenNameError):
            load_plain(pickle.dumps(content))
        with pytest.raises(UserError, match=r'asks for .*, which may run code, and is not read'):
            read_results(written(tmp_path, pickle.dumps(content)), IMAGES)


def test_nothing_is_run_by_the_numbers_of_a_tensor(tmp_path):
    """torch pickles them once more."""
    inner = pickle.dumps(Call(exec, "raise SystemExit('a results file ran code')"), protocol=2)
    bomb = Call(torch.storage._load_from_bytes, inner)
    with pytest.raises(UserError, match='is cut off or damaged'):
        read_results(written(tmp_path, pickle.dumps([sample(scores=bomb)])), IMAGES)


@pytest.mark.parametrize(
    'name',
    [
        'torch._utils\n_rebuild_tensor_v2',
        'torch.storage\n_load_from_bytes',
        '_codecs\nencode',
        'collections\nOrderedDict',
        'numpy\ndtype',
    ],
)
def test_a_file_cannot_change_what_it_names(tmp_path, name):
    """A pickle may set attributes: torch's function would take other defaults from then on."""
    defaults = torch._utils._rebuild_tensor_v2.__defaults__
    sets = f'c{name}\n(N(S"__defaults__"\n(I7\ntdtb.'.encode()
    try:
        with pytest.raises(UserError, match='is cut off or damaged'):
            read_results(written(tmp_path, b'\x80\x02' + sets), IMAGES)
        assert torch._utils._rebuild_tensor_v2.__defaults__ is defaults
    finally:
        torch._utils._rebuild_tensor_v2.__defaults__ = defaults


def test_numpys_values_are_left_out():
    """Their types can be told to take bytes for objects."""
    dtype = pickle.dumps(np.array([1.0]))
    assert not isinstance(load_plain(dtype), np.ndarray)


def test_images_that_a_pickle_lacks_are_said(tmp_path, caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        assert len(read_results(written(tmp_path, [sample()]), IMAGES)) == 1
    finally:
        logger.removeHandler(caplog.handler)
    assert 'lacks 1 of 2 images of truth.json' in caplog.text
