import copy

import pytest

from mmdet.engine.config import check_config, read_config
from mmdet.engine.fit_grid.apply import apply_settings, difference
from mmdet.engine.fit_grid.proposal import GridSettings

GRID = dict(num_grids=(8, 7, 6, 5, 5), scale_ranges=((1, 9),) * 5, pos_scale=0.3)


def steps_of(cfg: dict, stage: str) -> list[dict]:
    dataset = cfg[f'{stage}_dataloader']['dataset']
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    return dataset['pipeline']


@pytest.mark.parametrize(
    'name', ['solo_r50_fpn_1x_coco', 'solov2_r50_fpn_ms-3x_coco', 'solo_r50_fpn_8xb8-lsj-200e_coco']
)
def test_sizes_are_multiplied_and_nothing_else(name):
    old = read_config(name).to_dict()
    before = copy.deepcopy(old)
    new = apply_settings(old, GridSettings(0.5, **GRID))
    assert old == before
    check_config(new)
    assert new['model']['mask_head']['num_grids'] == [8, 7, 6, 5, 5]
    assert new['model']['mask_head']['pos_scale'] == 0.3
    for stage in ('train', 'val'):
        for one, other in zip(steps_of(old, stage), steps_of(new, stage), strict=True):
            for key, value in one.items():
                if key in ('scale', 'crop_size'):
                    assert other[key] == tuple(round(side / 2) for side in value)
                elif key == 'scales':
                    assert other[key] == [tuple(round(s / 2) for s in each) for each in value]
                else:
                    assert other[key] == value


def test_without_a_resize_one_is_put_in():
    old = read_config('solo_r18_fpn_shapes').to_dict()
    new = apply_settings(old, GridSettings(1.5, **GRID))
    resize = dict(type='Resize', scale_factor=1.5, keep_ratio=True)
    assert steps_of(new, 'train') == [*(p := steps_of(old, 'train'))[:2], resize, *p[2:]]
    assert steps_of(new, 'test') == [*(p := steps_of(old, 'test'))[:1], resize, *p[1:]]
    check_config(new)


def test_a_factor_multiplies_a_factor():
    old = read_config('solo_r18_fpn_shapes-cpu').to_dict()
    new = apply_settings(old, GridSettings(1.5, **GRID))
    assert [each['scale_factor'] for each in steps_of(new, 'train') if 'scale_factor' in each] == [
        0.75
    ]


def test_the_same_size_leaves_the_pipelines_alone():
    old = read_config('solo_r18_fpn_shapes').to_dict()
    new = apply_settings(old, GridSettings(1.0, **GRID))
    assert list(difference(old, new)) == ['model']


def test_difference():
    old = dict(a=1, b=dict(c=[1], d=2), e=None)
    assert difference(old, dict(a=1, b=dict(c=[1], d=2), e=None)) == {}
    assert difference(old, dict(a=1, b=dict(c=[2], d=2), e=3, f=4)) == dict(b=dict(c=[2]), e=3, f=4)
