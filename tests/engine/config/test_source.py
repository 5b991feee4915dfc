import math

import pytest
from mmengine.config import Config

from mmdet.engine.config.source import config_text, source_of

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'it')),
]


@pytest.mark.parametrize(
    'value',
    [
        PIPELINE,
        dict(a=[], b={}, c=(), d=(1,), e=None, f='it\'s "x"', g=1e-5, h=True),
        {'a b': 1, 3: [dict(x=PIPELINE), dict(x=PIPELINE)]},
        {'class': 1, 'None': dict(scale_ranges=((1.5, math.inf),))},
        'x' * 300,
    ],
)
def test_it_is_read_as_what_it_was(value):
    source = source_of(value, room=80)
    assert eval(source, {'dict': dict}) == value
    if isinstance(value, list):
        assert max(map(len, source.splitlines())) <= 100


def test_a_config_inherits_and_names_what_is_the_same(tmp_path):
    (tmp_path / 'base.py').write_text('a = dict(b=1, c=2)\nd = 4\n')
    loader = dict(dataset=dict(pipeline=PIPELINE))
    settings = dict(a=dict(b=3), val_dataloader=loader, test_dataloader=loader)
    text = config_text(settings, base='base.py', head='One.\nTwo.')
    assert text.startswith("# One.\n# Two.\n_base_ = 'base.py'\n\na = dict(b=3)\n")
    assert text.endswith('\ntest_dataloader = val_dataloader\n')
    (tmp_path / 'new.py').write_text(text)
    read = Config.fromfile(tmp_path / 'new.py').to_dict()
    assert read == dict(a=dict(b=3, c=2), d=4, val_dataloader=loader, test_dataloader=loader)
