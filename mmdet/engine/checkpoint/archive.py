"""Is a checkpoint file what was written? torch's archives say so themselves.

`torch.save` writes a zip archive with a checksum (CRC-32) of each record, which `torch.load` does
not compare: a tensor with a flipped bit loads. Python's own `zipfile` compares it.
Files of torch < 1.6 and of safetensors have no checksums: of those only what breaks their form is
noticed.
"""

import zipfile
from pathlib import Path

from mmdet.errors import UserError


def check_archive(path: Path, *, checksums: bool) -> None:
    """Refuse a zip archive that torch did not write so.

    Args:
        path: of the archive.
        checksums: compare them, which reads the whole file, in less time than `torch.load` takes.

    Raises:
        UserError: a record is damaged or missing, is compressed, or the archive is a program.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
            names = [record.filename.partition('/')[2] for record in records]
            if 'constants.pkl' in names or any(name.startswith('code/') for name in names):
                raise UserError(
                    f'{path} is a TorchScript program, which is code: name the checkpoint that it '
                    'was made of'
                )
            # A few bytes may unpack to more than any memory.
            packed = [each for each in records if each.compress_type != zipfile.ZIP_STORED]
            if packed:
                raise UserError(
                    f'{path} is no checkpoint of torch: {packed[0].filename} in it is compressed, '
                    f'and would unpack to {packed[0].file_size:,} bytes'
                )
            damaged = archive.testzip() if checksums else None
    except UserError:
        raise
    except Exception as error:  # a damaged file may break the reader anywhere
        raise UserError(f'{path} is damaged or cut off: {error}') from None
    if damaged is not None:
        raise UserError(f'{path} is damaged: {damaged} in it does not have its checksum')
