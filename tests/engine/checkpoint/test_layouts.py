import pytest
import torch
from mmengine.runner import load_checkpoint
from safetensors.torch import save_file
from torch import nn

from mmdet.engine.checkpoint import check_fit
from mmdet.errors import UserError
from mmdet.registry import MODELS
from tests.samples import HEADS

# What the modules are called in the repository WXinlong/SOLO, by what they are called here.
ORIGINAL = {
    'mask_head.mask_convs': 'bbox_head.ins_convs',
    'mask_head.mask_convs_x': 'bbox_head.ins_convs_x',
    'mask_head.mask_convs_y': 'bbox_head.ins_convs_y',
    'mask_head.cls_convs': 'bbox_head.cate_convs',
    'mask_head.kernel_convs': 'bbox_head.kernel_convs',
    'mask_head.conv_mask_list': 'bbox_head.solo_ins_list',
    'mask_head.conv_mask_list_x': 'bbox_head.dsolo_ins_list_x',
    'mask_head.conv_mask_list_y': 'bbox_head.dsolo_ins_list_y',
    'mask_head.conv_kernel': 'bbox_head.solo_kernel',
    'mask_head.mask_feature_head.conv_pred': 'mask_feat_head.conv_pred.0',
    'mask_head.mask_feature_head.convs_all_levels': 'mask_feat_head.convs_all_levels',
}


@pytest.fixture
def build(tiny_model):
    """Build a model with random weights and statistics; another backbone has bottlenecks."""

    def build(head: str, *, backbone: dict | None = None, **head_args: object) -> nn.Module:
        in_channels = [32, 64, 128, 256] if backbone else tiny_model['neck']['in_channels']
        model = MODELS.build(
            {
                **tiny_model,
                'backbone': {**tiny_model['backbone'], **(backbone or {})},
                'neck': {**tiny_model['neck'], 'in_channels': in_channels},
                'mask_head': {**tiny_model['mask_head'], **HEADS[head], **head_args},
            }
        )
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.normal_()
        return model

    return build


def in_original(name: str, head: str) -> str:
    module = next((module for module in ORIGINAL if name.startswith(f'{module}.')), None)
    if module:
        return ORIGINAL[module] + name.removeprefix(module)
    category = 'dsolo_cate' if 'decoupled' in head else 'solo_cate'
    return name.replace('mask_head.conv_cls', f'bbox_head.{category}')


def in_adelaidet(name: str) -> str:
    """Return what a parameter of SOLOv2 on a bottleneck ResNet is called in AdelaiDet."""
    body = 'backbone.bottom_up'
    match name.split('.'):
        case ['backbone', 'conv1', kind]:
            return f'{body}.stem.conv1.{kind}'
        case ['backbone', 'bn1', kind]:
            return f'{body}.stem.conv1.norm.{kind}'
        case ['backbone', stage, block, 'downsample', part, kind]:
            norm = {'0': '', '1': 'norm.'}[part]
            return f'{body}.res{int(stage[-1]) + 1}.{block}.shortcut.{norm}{kind}'
        case ['backbone', stage, block, layer, kind]:
            norm = {'conv': '', 'bn': 'norm.'}[layer[:-1]]
            return f'{body}.res{int(stage[-1]) + 1}.{block}.conv{layer[-1]}.{norm}{kind}'
        case ['neck', convs, level, 'conv', kind]:
            half = dict(lateral_convs='lateral', fpn_convs='output')[convs]
            return f'backbone.fpn_{half}{int(level) + 2}.{kind}'
        case ['mask_head', 'mask_feature_head', *place, layer, kind]:
            return '.'.join(('mask_head', *place, dict(conv='0', gn='1')[layer], kind))
        case ['mask_head', tower, index, layer, kind]:
            half = dict(cls_convs='cate', kernel_convs='kernel')[tower]
            return f'ins_head.{half}_tower.{3 * int(index) + dict(conv=0, gn=1)[layer]}.{kind}'
        case ['mask_head', conv, kind]:
            return f'ins_head.{dict(conv_cls="cate", conv_kernel="kernel")[conv]}_pred.{kind}'
    raise AssertionError(name)


def assert_loads(path, model: nn.Module, expected: dict[str, torch.Tensor]) -> None:
    check_fit(model, str(path))
    load_checkpoint(model, str(path), map_location='cpu', strict=True, logger='silent')
    loaded = model.state_dict()
    for name, value in expected.items():
        assert torch.equal(loaded[name], value), name


@pytest.mark.parametrize('head', HEADS)
def test_the_original_repository(build, tmp_path, log, head):
    state = build(head, stacked_convs=2).state_dict()
    theirs = {in_original(name, head): value for name, value in state.items()}
    assert not any(name.startswith('mask_head.') for name in theirs)
    torch.save(dict(state_dict=theirs, meta=dict(mmdet_version='1.0.0')), tmp_path / 'a.pth')
    assert_loads(tmp_path / 'a.pth', build(head, stacked_convs=2), state)
    changed = sum(name.startswith('mask_head.') for name in state)
    (line,) = log  # though the file was read twice
    assert line.startswith(f'{tmp_path}/a.pth has the layout of the original SOLO repository')
    assert line.endswith(f': {changed} of its {len(state)} names changed')


def test_adelaidet(build, tmp_path, log):
    bottlenecks = dict(depth=50)
    state = build('solov2', backbone=bottlenecks, stacked_convs=4).state_dict()
    # detectron2's frozen batch norms do not count.
    state = {name: value for name, value in state.items() if 'num_batches' not in name}
    theirs = {in_adelaidet(name): value for name, value in state.items()}
    assert theirs.keys() >= {
        'backbone.bottom_up.res2.0.shortcut.norm.running_var',
        'ins_head.kernel_tower.9.weight',
        'mask_head.convs_all_levels.3.conv2.1.bias',
        'mask_head.conv_pred.0.weight',
    }
    pixels = dict(pixel_mean=torch.zeros(3, 1, 1), pixel_std=torch.ones(3, 1, 1))
    torch.save(dict(model={**theirs, **pixels}, iteration=3), tmp_path / 'a.pth')
    assert_loads(tmp_path / 'a.pth', build('solov2', backbone=bottlenecks, stacked_convs=4), state)
    (line,) = log
    assert "AdelaiDet's SOLOv2" in line


def test_early_names_of_deformable_convolutions(build, tmp_path, log):
    args = dict(
        backbone=dict(depth=50, dcn=dict(type='DCN'), stage_with_dcn=(False, True, True, True)),
        dcn_cfg=dict(type='DCNv2'),
    )
    state = build('solov2', **args).state_dict()
    early = {name.replace('.conv_offset.', '_offset.'): value for name, value in state.items()}
    assert 'backbone.layer2.0.conv2_offset.weight' in early
    assert 'mask_head.cls_convs.0.conv_offset.bias' in early
    theirs = {in_original(name, 'solov2'): value for name, value in early.items()}
    torch.save(dict(state_dict=theirs), tmp_path / 'a.pth')
    assert_loads(tmp_path / 'a.pth', build('solov2', **args), state)
    assert len(log) == 2
    changed = sum('conv_offset' in name for name in state)
    assert log[1].endswith(f'deformable convolutions: {changed} of its {len(state)} names changed')
    # The names of today are left alone.
    torch.save(dict(state_dict=state), tmp_path / 'b.pth')
    assert_loads(tmp_path / 'b.pth', build('solov2', **args), state)
    assert len(log) == 2


def test_buffers_of_mmcvs_ema_hook_are_dropped(build, tmp_path):
    model = build('solo')
    averaged = {name: value.clone() for name, value in model.state_dict().items()}
    others = {f'ema_{name.replace(".", "_")}': torch.zeros(1) for name in averaged}
    torch.save(dict(state_dict={**averaged, **others}), tmp_path / 'a.pth')
    assert_loads(tmp_path / 'a.pth', build('solo'), averaged)


@pytest.mark.parametrize(
    'wrap',
    [
        lambda state: state,
        lambda state: dict(state_dict=state, meta=dict(epoch=12)),
        lambda state: {f'module.{name}': value for name, value in state.items()},
        lambda state: dict(
            state_dict=state,
            ema_state_dict={f'module.{name}': 0 * value for name, value in state.items()},
        ),
        lambda state: dict(
            ema_state_dict={
                'steps': torch.tensor(7),
                **{f'module.{name}': value for name, value in state.items()},
            }
        ),
    ],
    ids=['bare', 'state_dict', 'module', 'averaged', 'averaged alone'],
)
def test_mmdetections_files(build, tmp_path, log, wrap):
    state = build('solo').state_dict()
    torch.save(wrap(state), tmp_path / 'a.pth')
    assert_loads(tmp_path / 'a.pth', build('solo'), state)
    assert log == []


def test_safetensors(build, tmp_path, tiny_model):
    state = build('solo').state_dict()
    save_file(state, tmp_path / 'a.safetensors')
    assert_loads(tmp_path / 'a.safetensors', build('solo'), state)
    pretrained = dict(
        type='Pretrained', checkpoint=str(tmp_path / 'a.safetensors'), prefix='backbone'
    )
    backbone = MODELS.build(dict(tiny_model['backbone'], init_cfg=pretrained))
    backbone.init_weights()
    assert torch.equal(backbone.conv1.weight, state['backbone.conv1.weight'])
    whole = (tmp_path / 'a.safetensors').read_bytes()
    (tmp_path / 'half.safetensors').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r'half\.safetensors is not a safetensors file'):
        check_fit(backbone, str(tmp_path / 'half.safetensors'))


def test_an_unknown_layout_is_refused_with_those_that_are_known(build, tmp_path):
    torch.save(dict(roi_heads=torch.zeros(1)), tmp_path / 'a.pth')
    with pytest.raises(UserError, match=r'unexpected 1: roi_heads.*AdelaiDet') as refusal:
        check_fit(build('solo'), str(tmp_path / 'a.pth'))
    assert len(str(refusal.value).splitlines()) == 1


def test_a_file_without_weights_is_refused(build, tmp_path):
    torch.save(dict(epoch=3), tmp_path / 'a.pth')
    with pytest.raises(UserError, match='holds no weights'):
        check_fit(build('solo'), str(tmp_path / 'a.pth'))
