import pytest

from mmdet.cli.train import parse_args


@pytest.mark.parametrize(
    ('words', 'dtype'),
    [
        ('c.py', None),
        ('c.py --amp', ''),
        ('--amp c.py', ''),  # as mmdetection's users may write it
        ('c.py --amp --resume', ''),
        ('--amp bfloat16 c.py', 'bfloat16'),
        ('c.py --amp=float16', 'float16'),
    ],
)
def test_amp_may_name_a_dtype(words, dtype):
    args = parse_args(words.split())
    assert args.config == 'c.py'
    assert args.amp == dtype


def test_another_dtype_is_refused(capsys):
    with pytest.raises(SystemExit):
        parse_args(['c.py', '--amp=int8'])
    assert 'bfloat16' in capsys.readouterr().err
