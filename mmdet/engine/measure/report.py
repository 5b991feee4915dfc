"""What was measured, in lines to read; as JSON it is the same dict."""

from collections.abc import Iterator, Mapping

_TITLE = 12
_PART = 24


def lines_of(report: Mapping) -> list[str]:
    """Return the lines that say what a report holds.

    Args:
        report: of `measure_training`, `measure_test` or `measure_data`, with `config` and `mode`.
    """
    return [f'{title:{_TITLE}} {said}'.rstrip() for title, said in _rows(report)]


def _rows(report: Mapping) -> Iterator[tuple[str, str]]:
    yield 'config', report['config']
    yield 'machine', _machine(report['machine'])
    if report['mode'] == 'data':
        yield from _data_rows(report)
    else:
        yield from _step_rows(report)


def _data_rows(report: Mapping) -> Iterator[tuple[str, str]]:
    yield 'batches', f'{report["steps"]} of {report["images"]} images'
    workers = report['workers']
    yield 'loader', f'{_speed(report["images_a_second"])} with {workers} workers'
    yield 'alone', f'{_speed(report["images_a_second_alone"])}; an image takes'
    yield from _part_rows(report['parts'])


def _step_rows(report: Mapping) -> Iterator[tuple[str, str]]:
    height, width = report['size']
    others = f', of {report["sizes"]} sizes this most often' if report['sizes'] > 1 else ''
    kind = 'annotated' if report['mode'] == 'train' else 'found'
    batch = f'{report["images"]} x 3 x {height} x {width}{others}'
    yield 'batch', f'{batch}; {report["instances"]:g} instances {kind}'
    wanted = f', {report["candidates"]} candidates set' if report.get('candidates') else ''
    yield 'weights', f'{report["weights"]}{wanted}'
    if report['mixed_precision']:
        yield 'precision', f'mixed, {report["mixed_precision"]}'
    if report.get('compiled'):
        options = '' if report['compiled'] is True else f', {report["compiled"]}'
        yield 'compiled', f'backbone and neck{options}'
    left_out = report['steps_left_out']
    unsound = f'; {left_out} were not taken, as something was not finite' if left_out else ''
    steps = f'median of {report["steps"]}{unsound}'
    if report['clock'] == 'cpu':
        yield 'clock', 'the CPU time of one thread, without what it waited for'
    yield 'step', f'{_time(report["seconds"])}, {_speed(report["images_a_second"])}, {steps}'
    yield from _part_rows(report['parts'])
    if 'figures' in report:
        yield 'figures', f'{_time(report["figures"])} for {report["matched_images"]} images'
    kind = 'of the GPU, by tensors' if report['machine']['gpu'] else 'of the process'
    yield 'memory', f'{report["peak_memory"] / 1e9:.2f} GB at most, {kind}'
    waits = report['waits']
    yield 'waits', f'{sum(waits.values())} times in a step for the device'
    for place, number in sorted(waits.items(), key=lambda each: -each[1]):
        yield '', f'{number:3} x {place}'


def _part_rows(parts: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    whole = sum(parts.values())
    for name, seconds in parts.items():
        yield '', f'{name:{_PART}} {_time(seconds)}  {seconds / whole:4.0%}'


def _machine(machine: Mapping) -> str:
    many = f'{machine["processes"]} processes on ' if machine['processes'] > 1 else ''
    threads = f'{machine["threads"]} thread{"s" if machine["threads"] > 1 else ""}'
    gpu = f'{machine["gpu"]}, ' if machine['gpu'] else ''
    settings = ''.join(f', {name}={value}' for name, value in machine['settings'].items())
    return (
        f'{many}{gpu}{machine["cpu"]}: {machine["cores"]} cores, {machine["instructions"]}, '
        f'{threads}; torch {machine["torch"]}{settings}'
    )


def _speed(images_a_second: float) -> str:
    return f'{images_a_second:.3g} images a second'


def _time(seconds: float) -> str:
    """Return seconds as people read them.

    Examples:
        >>> _time(8.5912), _time(0.0123)
        ('   8.591 s', '  12.30 ms')
    """
    return f'{seconds:8.3f} s' if seconds >= 1 else f'{seconds * 1e3:7.2f} ms'
