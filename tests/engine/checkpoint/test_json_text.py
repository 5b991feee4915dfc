import pytest

from mmdet.engine.checkpoint.json_text import from_json, to_json


@pytest.mark.parametrize(
    'value',
    [
        dict(scale=(640, 480), steps=[(1,), []], empty=(), name='a', on=True, off=None, x=1e-8),
        {1: 'a', None: {(0, 1): 2}},
        dict(__tuple__=[1], other={'__dict__': [[1, 2]]}),
        [float('inf')],
        'text',
    ],
)
def test_what_goes_in_comes_out(value):
    assert repr(from_json(to_json(value))) == repr(value)


def test_what_is_no_plain_value_is_refused():
    with pytest.raises(TypeError):
        to_json(dict(kind=object))


@pytest.mark.parametrize('text', ['{', '{"__dict__": [[1]]}'])
def test_what_is_no_such_text_is_refused(text):
    with pytest.raises(ValueError):
        from_json(text)
