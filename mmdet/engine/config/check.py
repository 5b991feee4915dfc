"""Finding mistakes in a config before anything is built from it.

What is looked at is what the runner will build, all of it, and nothing else: the signatures of
mmengine's, mmcv's, torch's and this project's classes say which keys they take, and of which types.
A user's own class is held against its own signature alone; variables that the file's code used
are not looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain

import torch.distributed as dist
from mmengine.config import Config
from mmengine.utils.dl_utils import set_multi_processing

from mmdet.datasets.transforms import PackDetInputs
from mmdet.errors import UserError
from mmdet.evaluation import CocoMetric
from mmdet.registry import (
    EVALUATOR,
    HOOKS,
    LOG_PROCESSORS,
    METRICS,
    MODEL_WRAPPERS,
    MODELS,
    RUNNERS,
    TRANSFORMS,
    VISUALIZERS,
)

from .loaders import check_end, check_loader
from .objects import Place, check_object, check_values
from .parts import datasets_of, is_a, metainfo_of, metrics_of
from .signature import arguments_of, suggestion
from .top_level import check_names
from .training import check_optim_wrapper, check_other_loop, check_schedulers, check_train_cfg

_HOOK = Place(HOOKS, handled=frozenset({'priority'}))
_STAGES = {
    'train': ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    'val': ('val_dataloader', 'val_cfg', 'val_evaluator'),
    'test': ('test_dataloader', 'test_cfg', 'test_evaluator'),
}
# Those of every run, which None takes away
DEFAULT_HOOKS = (
    *('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint'),
    'non_finite',
)


def check_config(cfg: Mapping, *, source: str = 'the config', found: Sequence[str] = ()) -> None:
    """Check a whole config.

    Args:
        cfg: the config, as a dict.
        source: what to call it.
        found: mistakes that are known already.

    Raises:
        UserError: there are mistakes; each has its line, and the last line says the first, and how
            many they are.
    """
    refuse(sorted({*found, *_problems(cfg)}), source)


def check_model(cfg: Mapping, *, source: str) -> None:
    """Check the model of a config, which need say nothing else; see `check_config`."""
    found = () if cfg.get('model') else ("there is no 'model'",)
    keys = ('model', 'data_preprocessor')
    checks = (_CHECKS[key](cfg[key], key) for key in keys if cfg.get(key))
    refuse(sorted({*found, *chain.from_iterable(checks)}), source)


def refuse(problems: Sequence[str], source: str) -> None:
    """Raise a `UserError` if there are problems with a source."""
    if len(problems) == 1:
        raise UserError(f'{source}: {problems[0]}')
    if problems:
        listed = '\n'.join(problems)
        raise UserError(f'{listed}\n{len(problems)} mistakes in {source}; the first: {problems[0]}')


def require_stage(cfg: Mapping | Config, stage: str, *, source: str) -> None:
    """Check that a config says what is to be done in a stage.

    Args:
        cfg: a checked config.
        stage: `train`, `val` or `test`.
        source: what to call the config.

    Raises:
        UserError: it lacks all that the stage needs.
    """
    missing = [key for key in _STAGES[stage] if cfg.get(key) is None]
    if missing:
        old = '; it seems to be of mmdetection 2.x, whose form this is not' if 'data' in cfg else ''
        raise UserError(f'{source} has no {", no ".join(missing)}{old}')


def _problems(cfg: Mapping) -> Iterator[str]:
    yield from check_names(cfg)
    if not cfg.get('model'):
        yield "there is no 'model'"
    for keys in _STAGES.values():
        missing = [key for key in keys if cfg.get(key) is None]
        if 0 < len(missing) < len(keys):
            given = [key for key in keys if key not in missing]
            yield f'{given[0]} needs {" and ".join(missing)} beside it'
    if cfg.get('param_scheduler') is not None and cfg.get('optim_wrapper') is None:
        yield 'param_scheduler needs optim_wrapper beside it'
    if cfg.get('activation_checkpointing'):
        # mmengine's way gives no gradient to a module whose inputs have none, and says nothing.
        yield (
            'activation_checkpointing would leave a backbone untrained: set '
            'model.backbone.with_cp=True, which keeps as little'
        )
    if cfg.get('runner_type') is not None:
        runner = dict(type=cfg['runner_type'])
        yield from check_object(runner, 'runner_type', Place(RUNNERS, supplied=None))
    for key, check in _CHECKS.items():
        # Of a value of the wrong kind there is nothing more to say.
        if isinstance(cfg.get(key), Mapping | list | tuple):
            yield from check(cfg[key], key)
    yield from check_end(cfg)
    yield from _check_num_classes(cfg)
    yield from _check_truth(cfg)


def _check_evaluator(node: Mapping | Sequence, path: str) -> Iterator[str]:
    if isinstance(node, Mapping) and 'metrics' in node:
        yield from check_object(node, path, Place(EVALUATOR, 'Evaluator'))
    elif isinstance(node, Mapping):
        yield from check_object(node, path, Place(METRICS))
    else:
        for index, metric in enumerate(node):
            yield from check_object(metric, f'{path}.{index}', Place(METRICS))


def _check_default_hooks(node: Mapping, path: str) -> Iterator[str]:
    for name, hook in node.items():
        if hook is None:
            continue
        if isinstance(hook, Mapping) and 'type' not in hook:
            others = [*DEFAULT_HOOKS, *(key for key in node if key != name)]
            yield f'{path}.{name} names no type of hook{suggestion(name, others)}'
        else:
            yield from check_object(hook, f'{path}.{name}', _HOOK)


def _check_custom_hooks(node: Sequence, path: str) -> Iterator[str]:
    for index, hook in enumerate(node):
        yield from check_object(hook, f'{path}.{index}', _HOOK)


def _check_env(node: Mapping, path: str) -> Iterator[str]:
    parts = dict(cudnn_benchmark=bool, mp_cfg=dict, dist_cfg=dict, resource_limit=int)
    yield from _check_settings(node, path, parts)
    processes = arguments_of(set_multi_processing).hints
    processes = {key: processes[key] for key in ('mp_start_method', 'opencv_num_threads')}
    yield from _check_settings(node.get('mp_cfg'), f'{path}.mp_cfg', processes)
    group = dict.fromkeys(arguments_of(dist.init_process_group).parameters, object)
    group |= dict(backend=str, init_backend=str, port=int | str, timeout=int | float)
    yield from _check_settings(node.get('dist_cfg'), f'{path}.dist_cfg', group)


def _check_settings(node: object, path: str, hints: Mapping[str, object]) -> Iterator[str]:
    for key in node if isinstance(node, Mapping) else ():
        if key not in hints:
            yield f'{path} has no setting {key!r}{suggestion(key, hints)}'
    if isinstance(node, Mapping):
        yield from check_values(node, path, hints)


def _check_randomness(node: Mapping, path: str) -> Iterator[str]:
    hints = dict(seed=int | None, diff_rank_seed=bool, deterministic=bool)
    yield from _check_settings(node, path, hints)


def _check_num_classes(cfg: Mapping) -> Iterator[str]:
    model = cfg.get('model') or {}
    head = model.get('mask_head') if isinstance(model, Mapping) else None
    num_classes = head.get('num_classes') if isinstance(head, Mapping) else None
    if num_classes is None:
        return
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        for dataset in datasets_of(cfg.get(loader)):
            classes = metainfo_of(dataset).get('classes')
            if isinstance(classes, list | tuple) and len(classes) != num_classes:
                yield (
                    f'model.mask_head.num_classes is {num_classes}, but {loader} has '
                    f'{len(classes)} classes: set num_classes={len(classes)}, or name the classes '
                    f'in {loader}.dataset.metainfo'
                )


def _check_truth(cfg: Mapping) -> Iterator[str]:
    """Without an annotation file the metric needs what the test's pipeline may leave behind."""
    for stage in ('val', 'test'):
        metrics = metrics_of(cfg.get(f'{stage}_evaluator'))
        if not any(is_a(m, METRICS, CocoMetric) and not m.get('ann_file') for m in metrics):
            continue
        for dataset in datasets_of(cfg.get(f'{stage}_dataloader')):
            steps = [step for step in dataset.get('pipeline') or () if isinstance(step, Mapping)]
            packs = [step for step in steps if is_a(step, TRANSFORMS, PackDetInputs)]
            if packs and 'instances' not in packs[-1].get('meta_keys', ()):
                yield (
                    f'{stage}_evaluator: CocoMetric without ann_file measures against what the '
                    "data set has: add 'instances' to the meta_keys of PackDetInputs in "
                    f'{stage}_dataloader.dataset.pipeline, or name ann_file'
                )


_VISUALIZER = Place(VISUALIZERS, supplied=frozenset({'name', 'save_dir'}))
_WRAPPER = Place(MODEL_WRAPPERS, 'MMDistributedDataParallel', supplied=frozenset({'module'}))
_CHECKS = {
    'model': partial(check_object, place=Place(MODELS)),
    'data_preprocessor': partial(check_object, place=Place(MODELS)),
    'train_dataloader': check_loader,
    'val_dataloader': check_loader,
    'test_dataloader': check_loader,
    'train_cfg': check_train_cfg,
    'val_cfg': partial(check_other_loop, default='ValLoop'),
    'test_cfg': partial(check_other_loop, default='TestLoop'),
    'optim_wrapper': check_optim_wrapper,
    'param_scheduler': check_schedulers,
    'auto_scale_lr': partial(_check_settings, hints=dict(enable=bool, base_batch_size=int)),
    'val_evaluator': _check_evaluator,
    'test_evaluator': _check_evaluator,
    'default_hooks': _check_default_hooks,
    'custom_hooks': _check_custom_hooks,
    'env_cfg': _check_env,
    'log_processor': partial(check_object, place=Place(LOG_PROCESSORS, 'LogProcessor')),
    'visualizer': partial(check_object, place=_VISUALIZER),
    'randomness': _check_randomness,
    'model_wrapper_cfg': partial(check_object, place=_WRAPPER),
    'custom_imports': partial(
        _check_settings, hints=dict(imports=str | list, allow_failed_imports=bool)
    ),
}
