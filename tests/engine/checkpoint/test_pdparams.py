"""Files as `paddle.save` writes them: what is in them, and what they may make the reader do."""

import codecs
import copy
import json
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint

from mmdet.apis import init_detector
from mmdet.cli.convert import main as convert
from mmdet.engine.checkpoint import load_from_local, read_checkpoint
from mmdet.errors import UserError
from mmdet.registry import MODELS
from tests.faults.hostile_checkpoints import Call
from tests.samples import HEADS

# Of each kind of name one, with the name that it has here.
NAMES = {
    'backbone.conv1.conv1.conv.weight': 'backbone.conv1.weight',
    'backbone.conv1.conv1.norm._variance': 'backbone.bn1.running_var',
    'backbone.res2.res2a.branch2a.conv.weight': 'backbone.layer1.0.conv1.weight',
    'backbone.res3.res3b.branch2c.norm._mean': 'backbone.layer2.1.bn3.running_mean',
    'backbone.res4.res4f.branch2b.norm.bias': 'backbone.layer3.5.bn2.bias',
    'backbone.res5.res5a.short.conv.weight': 'backbone.layer4.0.downsample.0.weight',
    'backbone.res5.res5a.short.norm.weight': 'backbone.layer4.0.downsample.1.weight',
    'neck.fpn_inner_res2_sum_lateral.weight': 'neck.lateral_convs.0.conv.weight',
    'neck.fpn_inner_res5_sum.bias': 'neck.lateral_convs.3.conv.bias',
    'neck.fpn_res4_sum.weight': 'neck.fpn_convs.2.conv.weight',
    'solov2_head.bbox_head.cate_convs.3.conv.weight': 'mask_head.cls_convs.3.conv.weight',
    'solov2_head.bbox_head.kernel_convs.0.norm.bias': 'mask_head.kernel_convs.0.gn.bias',
    'solov2_head.bbox_head.solo_cate.weight': 'mask_head.conv_cls.weight',
    'solov2_head.bbox_head.solo_kernel.bias': 'mask_head.conv_kernel.bias',
    'mask_head.conv_pre_feat3.mask_feat_head.convs_all_levels.3.conv2.norm.weight': (
        'mask_head.mask_feature_head.convs_all_levels.3.conv2.gn.weight'
    ),
    'mask_head.mask_feat_head.conv_pred.0.conv.weight': (
        'mask_head.mask_feature_head.conv_pred.conv.weight'
    ),
}
DEFORMABLE = {
    'backbone.conv1.conv1_1.conv.weight': 'backbone.stem.0.weight',
    'backbone.conv1.conv1_3.norm._mean': 'backbone.stem.7.running_mean',
    'backbone.res2.res2a.short.conv.weight': 'backbone.layer1.0.downsample.1.weight',
    'backbone.res2.res2a.short.norm.bias': 'backbone.layer1.0.downsample.2.bias',
    'backbone.res4.res4a.short.conv.conv.weight': 'backbone.layer3.0.downsample.1.weight',
    'backbone.res4.res4a.short.conv.norm.bias': 'backbone.layer3.0.downsample.2.bias',
    'backbone.res4.res4b22.branch2b.conv_offset.weight': (
        'backbone.layer3.22.conv2.conv_offset.weight'
    ),
    'solov2_head.bbox_head.cate_convs.2.conv.conv_offset.bias': (
        'mask_head.cls_convs.2.conv.conv_offset.bias'
    ),
    'solov2_head.bbox_head.kernel_convs.2.conv.conv_dcn.bias': (
        'mask_head.kernel_convs.2.conv.bias'
    ),
    'mask_head.conv_pre_feat2.mask_feat_head.convs_all_levels.2.conv1.conv.conv_dcn.weight': (
        'mask_head.mask_feature_head.convs_all_levels.2.conv1.conv.weight'
    ),
    'mask_head.mask_feat_head.conv_pred.0.conv.conv_offset.weight': (
        'mask_head.mask_feature_head.conv_pred.conv.conv_offset.weight'
    ),
}
# These stand in a file once more.
AGAIN = {
    'solov2_head.bbox_head.solo_': 'solov2_head.solo_',
    'mask_head.mask_feat_head.conv_pred.0.': 'mask_head.conv_pred.',
}


def with_duplicates(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    again = {
        name.replace(begin, other): array
        for name, array in weights.items()
        for begin, other in AGAIN.items()
        if name.startswith(begin)
    }
    assert len(again) >= 3
    return weights | again


def write(path: Path, content: object, *, protocol: int = 4, numpy: int = 2) -> Path:
    """Write what `paddle.save` does, with NumPy 1 or 2."""
    if isinstance(content, dict):
        framework = {name: f'conv2d_{i}.w_0' for i, name in enumerate(content)}
        content = {**content, 'StructuredToParameterName@@': framework}
    data = pickle.dumps(content, protocol=protocol)
    if numpy == 1 and protocol == 4:
        old = b'\x8c\x15numpy.core.multiarray'
        assert data.count(b'\x8c\x16numpy._core.multiarray') == 1
        data = data.replace(b'\x8c\x16numpy._core.multiarray', old)
        (frame,) = struct.unpack('<Q', data[3:11])  # which holds all of a file this small
        assert frame == len(data) - 10
        data = data[:3] + struct.pack('<Q', frame - 1) + data[11:]
    elif numpy == 1:
        assert data.count(b'numpy._core.multiarray') == 1
        data = data.replace(b'numpy._core.multiarray', b'numpy.core.multiarray')
    path.write_bytes(data)
    return path


@pytest.mark.parametrize('numpy', [1, 2])
@pytest.mark.parametrize('protocol', [2, 4])
@pytest.mark.parametrize('special', [False, True], ids=['plain', 'vd and deformable'])
def test_arrays_come_under_our_names(tmp_path, log, special, protocol, numpy):
    rng = np.random.default_rng(0)
    names = NAMES | DEFORMABLE if special else NAMES
    if special:  # whose stem and shortcuts have other names
        names = {name: our for name, our in names.items() if '.conv1.conv1.' not in name}
        names = {name: our for name, our in names.items() if '.res5a.short' not in name}
    theirs = {name: rng.standard_normal((2, 3, 1)).astype('f4') for name in names}
    path = write(tmp_path / 'a.pdparams', with_duplicates(theirs), protocol=protocol, numpy=numpy)
    assert (b'_codecs' in path.read_bytes()) == (protocol == 2)
    state = read_checkpoint(str(path), map_location='cpu')['state_dict']
    assert state.keys() == set(names.values())
    for name, array in theirs.items():
        assert torch.equal(state[names[name]], torch.from_numpy(array)), name
    assert len(log) == 1 + special and "PaddleDetection's SOLOv2" in log[-1]


@pytest.mark.parametrize('protocol', [2, 4])
@pytest.mark.parametrize(
    'array',
    [
        np.zeros((2, 0, 3), 'f4'),
        np.array(7, 'i8'),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(6, dtype='>f4')[::2],
        np.float16([1.5, -2.0, np.inf]),
    ],
    ids=['empty', 'scalar', 'fortran', 'big endian', 'half'],
)
def test_every_kind_of_array(tmp_path, array, protocol):
    write(tmp_path / 'a.pdparams', dict(a=array), protocol=protocol)
    tensor = load_from_local(str(tmp_path / 'a.pdparams'), 'cpu')['state_dict']['a']
    np.testing.assert_array_equal(tensor.numpy(), array, strict=array.dtype.isnative)
    tensor.fill_(1)  # which may be written to


def test_a_weight_that_stands_twice_must_be_the_same(tmp_path):
    weights = with_duplicates({name: np.zeros(2, 'f4') for name in NAMES})
    weights['solov2_head.solo_cate.weight'] = np.ones(2, 'f4')
    write(tmp_path / 'a.pdparams', weights)
    with pytest.raises(UserError, match=r'a\.pdparams holds mask_head\.conv_cls\.weight twice'):
        load_from_local(str(tmp_path / 'a.pdparams'), 'cpu')


def named(case: str, shared: Path) -> dict[str, tuple[str, list[int]]]:
    listed = json.loads((shared / f'paddle/{case}.json').read_text())['parameters']
    return {name: (our, shape) for name, (our, shape) in listed.items()}


@pytest.mark.parametrize('case', ['r50', 'r50_enhance', 'r101_vd'])
def test_every_name_of_paddles_models(tmp_path, shared, case):
    listed = named(case, shared)
    write(tmp_path / 'a.pdparams', {name: np.zeros(1, 'f4') for name in listed})
    state = read_checkpoint(str(tmp_path / 'a.pdparams'), map_location='cpu')['state_dict']
    assert list(state) == [our for our, _ in listed.values()]


# What may be asked for beside the five names, in the forms that pickles have for it.
def _hostile(canary: Path) -> dict[str, tuple[object, str]]:
    command = f'touch {canary}'
    array = np.ones(1, 'f4')
    reconstruct, arguments, _ = array.__reduce__()
    return {
        'call': (dict(a=Call(os.system, command)), r"asks for 'posix\.system'"),
        'call beside arrays': (dict(a=array, b=Call(eval, '1')), r"asks for '\w+\.eval'"),
        'at the top': (Call(os.system, command), r"asks for 'posix\.system'"),
        'getattr': (dict(a=Call(getattr, array, 'tofile')), r"asks for '\w+\.getattr'"),
        'method of an array': (dict(a=array.tofile), r"asks for '\w+\.getattr'"),
        'class': (dict(a=Path), r"asks for 'pathlib.*Path'"),
        'ndarray itself': (dict(a=Call(np.ndarray, (1 << 40,))), r'calls numpy\.ndarray'),
        'objects': (dict(a=np.array([Call(os.system, command)], dtype=object)), "type 'O8'"),
        'records': (dict(a=np.zeros(2, 'f4,i4')), "type 'V8'"),
        'bfloat16': (dict(a=np.zeros(2, 'u2')), "type 'u2'"),
        'no content': (dict(a=Call(reconstruct, *arguments)), "'a' in it is not a whole array"),
        'codec': (dict(a=Call(codecs.encode, 'touch', 'rot13')), "asks for the codec 'rot13'"),
        'string': (dict(a='touch'), "'a' in it is not a whole array but a str"),
        'nested': (dict(a=dict(b=array)), "'a' in it is not a whole array but a dict"),
        'list': ([array], 'it holds a list'),
    }


@pytest.mark.parametrize('protocol', [2, 4])
@pytest.mark.parametrize('case', _hostile(Path()))
def test_anything_else_is_refused_by_name_and_nothing_runs(tmp_path, case, protocol):
    content, said = _hostile(tmp_path / 'canary')[case]
    write(tmp_path / 'a.pdparams', content, protocol=protocol)
    with pytest.raises(
        UserError, match=rf'a\.pdparams is not a file of weights.*{said}'
    ) as refusal:
        load_from_local(str(tmp_path / 'a.pdparams'), 'cpu')
    assert len(str(refusal.value).splitlines()) == 1
    assert not (tmp_path / 'canary').exists()


@pytest.mark.parametrize(
    'name',
    [
        'numpy._core.multiarray\n_reconstruct',
        'numpy\ndtype',
        '_codecs\nencode',
        '__builtin__\nbytes',
    ],
)
@pytest.mark.parametrize('attribute', ['__init__', '__new__'])
def test_a_pickle_cannot_change_what_stands_for_a_name(tmp_path, name, attribute):
    sets = f'c{name}\n(N(S"{attribute}"\nNdtb.'.encode()
    (tmp_path / 'a.pdparams').write_bytes(b'\x80\x02' + sets)
    with pytest.raises(UserError, match='damaged'):
        load_from_local(str(tmp_path / 'a.pdparams'), 'cpu')
    write(tmp_path / 'b.pdparams', dict(a=np.ones(1, 'f4'), b=np.ones(0, 'f4')), protocol=2)
    assert load_from_local(str(tmp_path / 'b.pdparams'), 'cpu')['state_dict']['a'].item() == 1


def test_other_files_of_that_name(tmp_path):
    whole = write(tmp_path / 'a.pdparams', dict(a=np.ones((64, 64), 'f4'))).read_bytes()
    torch.save(dict(a=torch.ones(1)), tmp_path / 'torch.pth')
    torch.save(dict(a=torch.ones(1)), tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    files = {
        'cut': (whole[: len(whole) // 2], 'truncated|cut off'),
        'cut in a name': (whole[:20], 'truncated|cut off'),
        'empty': (b'', 'damaged or cut off'),
        'page': (b'<html>404</html>', "invalid load key, '<'"),
        'torch': ((tmp_path / 'torch.pth').read_bytes(), 'but of torch: call it .pth'),
        'old torch': ((tmp_path / 'old.pth').read_bytes(), 'it holds a int'),
    }
    for name, (content, said) in files.items():
        path = tmp_path / f'{name}.pdparams'
        path.write_bytes(content)
        with pytest.raises(UserError, match=said) as refusal:
            load_from_local(str(path), 'cpu')
        assert str(refusal.value).startswith(str(path)) and '\n' not in str(refusal.value), name


@pytest.fixture
def small_solov2(tiny_model) -> dict:
    """A narrow SOLOv2 with as many layers as PaddleDetection's."""
    backbone = {**tiny_model['backbone'], 'depth': 50}
    neck = {**tiny_model['neck'], 'in_channels': [32, 64, 128, 256]}
    head = {**tiny_model['mask_head'], **HEADS['solov2'], 'stacked_convs': 4}
    return {**tiny_model, 'backbone': backbone, 'neck': neck, 'mask_head': head}


@pytest.mark.parametrize('protocol', [2, 4])
def test_a_whole_model_loads_wherever_a_checkpoint_is_named(
    tmp_path, shared, small_solov2, protocol
):
    theirs = {our: name for name, (our, _) in named('r50', shared).items()}
    state = {
        name: torch.randn(value.shape)
        for name, value in MODELS.build(copy.deepcopy(small_solov2)).state_dict().items()
        if 'num_batches' not in name
    }
    arrays = {theirs[name]: value.numpy() for name, value in state.items()}
    path = write(tmp_path / 'a.pdparams', with_duplicates(arrays), protocol=protocol)

    load_from = MODELS.build(copy.deepcopy(small_solov2))
    load_checkpoint(load_from, str(path), map_location='cpu', strict=True, logger='silent')
    detector = init_detector(Config(dict(model=small_solov2)), path, device='cpu')
    convert([str(path), str(tmp_path / 'a.pth')])
    converted = torch.load(tmp_path / 'a.pth', weights_only=True)['state_dict']
    assert converted.keys() == state.keys()
    for loaded in (load_from.state_dict(), detector.state_dict(), converted):
        assert all(torch.equal(loaded[name], value) for name, value in state.items())


def test_another_model_of_paddles(tmp_path, small_solov2):
    arrays = {'bbox_head.head.fc6.weight': np.ones((2, 2), 'f4'), 'rpn_head.a': np.ones(1, 'f4')}
    path = write(tmp_path / 'a.pdparams', arrays)
    with pytest.raises(UserError, match=r'a\.pdparams does not fit the model') as first:
        init_detector(Config(dict(model=small_solov2)), path, device='cpu')
    with pytest.raises(UserError, match=r'a\.pdparams is of no known layout.*fc6') as second:
        convert([str(path), str(tmp_path / 'a.pth')])
    for refusal in (first, second):
        assert "PaddleDetection's SOLOv2" in str(refusal.value)
        assert '\n' not in str(refusal.value)
