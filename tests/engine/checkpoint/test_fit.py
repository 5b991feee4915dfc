import pytest
import torch

from mmdet.engine.checkpoint import check_fit, load_what_fits
from mmdet.errors import UserError


def test_a_fit_is_checked_by_names_and_shapes(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    state = model.state_dict()
    path = tmp_path / 'a.pth'

    def check(weights: dict) -> None:
        torch.save(weights, path)
        check_fit(model, str(path))

    check(dict(state_dict=state))
    check(state)
    check({f'module.{name}': value for name, value in state.items()})
    check({name: value for name, value in state.items() if 'num_batches' not in name})
    with pytest.raises(UserError, match=r'missing 1: 0\.bias.*Known layouts'):
        check({name: value for name, value in state.items() if name != '0.bias'})
    with pytest.raises(UserError, match=r'unexpected 1: 2\.weight'):
        check({**state, '2.weight': torch.zeros(1)})
    with pytest.raises(UserError, match=r'0\.weight \(5, 2\) instead of \(3, 2\).*config\?$'):
        check({**state, '0.weight': torch.zeros(5, 2)})


def test_what_does_not_fit_begins_anew_and_is_said():
    model = torch.nn.ModuleDict(dict(tower=torch.nn.Linear(2, 3), conv_cls=torch.nn.Linear(3, 2)))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    published = {
        'tower.weight': torch.full((3, 2), 7.0),
        'conv_cls.weight': torch.zeros(80, 3),
        'conv_cls.bias': torch.zeros(80),
        'bbox_head.weight': torch.zeros(4),
    }
    said = load_what_fits(model, published, 'published.pth')
    after = model.state_dict()
    assert torch.equal(after['tower.weight'], published['tower.weight'])
    for name in ('tower.bias', 'conv_cls.weight', 'conv_cls.bias'):
        assert torch.equal(after[name], before[name]), name
    assert said == (
        'published.pth: 1 parameters and buffers are loaded; missing, begin anew, 1: tower.bias; '
        'not used 1: bbox_head.weight; of another shape, begin anew, 2: '
        'conv_cls.weight (80, 3) instead of (2, 3), conv_cls.bias (80,) instead of (2,)'
    )
    assert load_what_fits(model, model.state_dict(), 'own.pth') == ''
    with pytest.raises(UserError, match=r'nothing in other\.pth fits.*unexpected 1: weight.*Known'):
        load_what_fits(model, dict(weight=torch.zeros(1)), 'other.pth')
