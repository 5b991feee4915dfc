"""Numbers in words."""

from mmdet.engine.report_page.words import percent


def test_shares_are_rounded_to_neither_none_nor_all():
    shares = (0.0, 1e-6, 0.00099, 0.0234, 0.5, 0.9989, 0.99999, 1.0)
    assert [percent(share) for share in shares] == [
        *('0 %', '< 0.1 %', '< 0.1 %', '2.3 %', '50 %', '99.9 %', '99.99 %', '100 %')
    ]
