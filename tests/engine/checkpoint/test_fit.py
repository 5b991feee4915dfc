import pytest
import torch

from mmdet.engine.checkpoint import check_fit
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
