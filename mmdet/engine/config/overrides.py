"""`--cfg-options`: settings of a config from the command line."""

import argparse
from collections.abc import Iterator, Mapping, Sequence

from mmengine.config import Config, DictAction

from mmdet.errors import UserError

from .signature import suggestion
from .top_level import READ, near_name, paths_of

# What is read under these names comes from somewhere else.
_ELSEWHERE = {
    'data_root': 'a variable of the file, whose value others hold by now: use --data-root DIR',
    'launcher': 'the processes are there already: use --launcher',
    'custom_imports': 'the file was read with its own by now: write it into a config file',
}


class CfgOptions(DictAction):
    """mmengine's `KEY=VALUE ...`, with a word about what is not of that form."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Sequence[str],
        option_string: str | None = None,
    ) -> None:
        """Add the settings to those that are there.

        Raises:
            UserError: one has no `=`, or brackets that do not match.
        """
        for setting in values:
            key, equals, value = setting.partition('=')
            if not key or not equals:
                raise UserError(f'--cfg-options: {setting!r} is not KEY=VALUE')
            if any(value.count(left) != value.count(right) for left, right in ('[]', '()')):
                raise UserError(f'--cfg-options: the brackets in {setting!r} do not match')
        super().__call__(parser, namespace, values)


def merge_options(cfg: Config, options: Mapping[str, object], *, source: str) -> list[str]:
    """Change settings of a config, in place; return what is wrong with those that nothing reads.

    Args:
        cfg: the config.
        options: values by their paths, such as `optim_wrapper.optimizer.lr`.
        source: what to call the config.

    Raises:
        UserError: a path leads to something that has no such part.
    """
    problems = {path: list(_problems(cfg, path)) for path in options}
    read = {path: value for path, value in options.items() if not problems[path]}
    try:
        cfg.merge_from_dict(read)
    except (TypeError, KeyError, IndexError, AttributeError, ValueError) as error:
        raise UserError(f'--cfg-options do not fit {source}: {error}') from None
    return [problem for found in problems.values() for problem in found]


def _problems(cfg: Config, path: str) -> Iterator[str]:
    name, _, rest = path.partition('.')
    if name in _ELSEWHERE:
        yield f'--cfg-options {path}: nothing reads this here; {_ELSEWHERE[name]}'
    elif name in READ:
        return
    elif name in cfg:
        content = cfg.to_dict()
        places = [f'{place}.{rest}'.rstrip('.') for place in paths_of(content, content[name])]
        where = f': change {" or ".join(places[:4])}' if places else ''
        yield (
            f'--cfg-options {path}: nothing reads {name}, a variable of the file, whose value '
            f'others hold by now{where}'
        )
    else:
        near = near_name(name)
        hint = f'; did you mean {near!r}?' if near else suggestion(name, READ)
        yield f'--cfg-options {path}: there is no setting {name!r}{hint}'
