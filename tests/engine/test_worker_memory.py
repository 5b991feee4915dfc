import ctypes
import subprocess
import sys

import pytest

# Whether a large array, while it is there, lies in memory of its own.
ASK = """
import ctypes
import numpy as np
from torch.utils.data import DataLoader
from mmdet.engine.worker_memory import keep_freed_memory

names = 'arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost'
mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = type(
    'Mallinfo2', (ctypes.Structure,), dict(_fields_=[(n, ctypes.c_size_t) for n in names.split()])
)
arrays = []

def lies_alone():
    before = mallinfo2().hblkhd
    arrays.append(np.empty(30 << 20, np.uint8))
    return mallinfo2().hblkhd > before

loader = DataLoader([0], worker_init_fn=lambda worker: print('started', worker))
keep_freed_memory(loader)
print(lies_alone())
loader.worker_init_fn(3)
print(lies_alone())
"""


@pytest.mark.skipif(
    sys.platform != 'linux' or not hasattr(ctypes.CDLL(None), 'mallinfo2'),
    reason='only glibc tells',
)
def test_the_memory_of_an_image_is_kept_and_the_configs_own_start_too():
    command = [sys.executable, '-W', 'ignore', '-c', ASK]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.split() == ['True', 'started', '3', 'False']
