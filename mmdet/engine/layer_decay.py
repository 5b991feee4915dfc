"""Learning rates that fall from the head to the images, layer by layer.

As in BEiT and ConvNeXt: what is pretrained, and general, is to change less than what is new.
"""

from collections import defaultdict
from collections.abc import Sequence

from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor
from terminaltables import AsciiTable
from torch import nn

from mmdet.errors import UserError
from mmdet.models.backbones import TIMMBackbone
from mmdet.models.backbones.timm_layers import TIMMLayers, layers_of
from mmdet.registry import OPTIM_WRAPPER_CONSTRUCTORS

SETTINGS = ('decay_rate', 'decay_type', 'num_layers')
_KINDS = ('layer_wise', 'stage_wise')
_PREFIX = 'backbone.timm_model.'


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LearningRateDecayOptimizerConstructor(DefaultOptimWrapperConstructor):
    """Gives layer l of the backbone the learning rate `lr * decay_rate ** (num_layers + 1 - l)`.

    The stem is layer 0, see `mmdet.models.backbones.timm_layers`; neck and head have `lr`. Biases
    and norms, and what timm excepts, have no weight decay. The log has a table of it.

    `paramwise_cfg` of the optimizer wrapper has

    - `decay_rate`: above 0, and not above 1;
    - `decay_type`: `layer_wise`, the default, or `stage_wise`;
    - `num_layers`: by default as many as the backbone has. In layers it must be that number, in
      stages it may be greater, by which all of the backbone learns more slowly.

    Args:
        optim_wrapper_cfg: of the optimizer wrapper, with its optimizer.
        paramwise_cfg: see above.

    Raises:
        UserError: a setting is not as it should be, or the backbone is none of timm's.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        super().__init__(optim_wrapper_cfg, paramwise_cfg)
        settings = dict(self.paramwise_cfg)
        unknown = settings.keys() - set(SETTINGS)
        if unknown:
            raise _complaint(f'paramwise_cfg has no setting {min(unknown)!r} with it')
        if not 0 < settings.get('decay_rate', 0) <= 1:
            raise _complaint(
                f'paramwise_cfg.decay_rate is {settings.get("decay_rate")}, not in (0, 1]'
            )
        self.decay_type = settings.get('decay_type', 'layer_wise')
        if self.decay_type not in _KINDS:
            raise _complaint(f'decay_type={self.decay_type!r} is none of {", ".join(_KINDS)}')
        if self.base_lr is None:
            raise _complaint('optim_wrapper.optimizer needs lr')
        self.decay_rate = settings['decay_rate']
        self.num_layers = settings.get('num_layers')

    def add_params(
        self, params: list[dict], module: nn.Module, prefix: str = '', is_dcn_module: object = None
    ) -> None:
        """Add the model's groups of parameters.

        Args:
            params: the groups are added to it.
            module: the model.
            prefix: not read: the model is taken as a whole.
            is_dcn_module: not read.
        """
        backbone = getattr(module, 'backbone', None)
        if not isinstance(backbone, TIMMBackbone):
            kind = type(backbone).__name__
            raise _complaint(
                f"it knows the layers of TIMMBackbone, not of {kind}: take timm's model, such as "
                "dict(type='TIMMBackbone', model_name='convnext_tiny'), or one rate for all of it, "
                "by paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.1)}) without a "
                'constructor'
            )
        layers = layers_of(backbone, stages=self.decay_type == 'stage_wise')
        deepest = max(layers.depth.values())
        number = deepest if self.num_layers is None else self.num_layers
        if number < deepest or (number > deepest and self.decay_type == 'layer_wise'):
            raise _complaint(
                f'paramwise_cfg.num_layers={number}, and {backbone.arguments["model_name"]} has '
                f'{deepest}: set that, or leave it out'
            )
        groups = self._groups(module, layers, number + 1)
        print_log(_table(groups), logger='current')
        params += groups

    def _groups(self, model: nn.Module, layers: TIMMLayers, head: int) -> list[dict]:
        """Return the groups, from the stem to the head; `head` is the layer of all others."""
        named: dict[tuple[int, bool], list[tuple[str, nn.Parameter]]] = defaultdict(list)
        for name, weight in model.named_parameters():
            if not weight.requires_grad:
                continue
            own = name.removeprefix(_PREFIX)
            layer = layers.depth[own] if name.startswith(_PREFIX) else head
            spared = name.startswith(_PREFIX) and own in layers.without_decay
            named[layer, weight.ndim > 1 and not name.endswith('.bias') and not spared].append(
                (name, weight)
            )
        groups = []
        for (layer, decays), members in sorted(named.items()):
            scale = self.decay_rate ** (head - layer)
            decay = dict(weight_decay=0.0) if not decays else {}
            if decays and self.base_wd is not None:
                decay = dict(weight_decay=self.base_wd)
            groups.append(
                dict(
                    params=[weight for _, weight in members],
                    param_names=[name for name, _ in members],
                    group_name=f'layer_{layer}_{"decay" if decays else "no_decay"}',
                    lr_scale=scale,
                    lr=scale * self.base_lr,
                    **decay,
                )
            )
        return groups


def _complaint(said: str) -> UserError:
    return UserError(f'LearningRateDecayOptimizerConstructor: {said}')


def _table(groups: Sequence[dict]) -> str:
    rows = [('group', 'lr', 'weight decay', 'tensors', 'first')]
    for group in groups:
        names = group['param_names']
        decay = group.get('weight_decay', "optimizer's")
        lr = f'{group["lr"]:.3g}'
        rows.append((group['group_name'], lr, str(decay), str(len(names)), names[0]))
    return '\n' + AsciiTable(rows).table
