"""pyarrow, which is an extra."""

from mmdet.errors import missing_package

try:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
except ImportError:
    raise missing_package('a data set in Parquet needs pyarrow', 'parquet') from None

__all__ = ['pa', 'pc', 'pq']
