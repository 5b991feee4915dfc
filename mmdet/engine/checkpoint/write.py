"""A checkpoint for others, as one that `torch.save` wrote, or as safetensors."""

import io

import torch
from safetensors.torch import save
from torch import Tensor

from .json_text import META, to_json


def encode(
    weights: dict[str, Tensor], meta: dict, *, safetensors: bool, more: dict | None = None
) -> bytes:
    """Return a checkpoint file's content; the same for the same checkpoint.

    Args:
        weights: tensors by name.
        meta: plain values; in safetensors' metadata, where there are but strings, it is JSON.
        safetensors: write that format.
        more: what else `torch.save` is to hold.

    Raises:
        TypeError: `meta` holds what JSON does not take.
    """
    if not safetensors:
        buffer = io.BytesIO()
        torch.save(dict(state_dict=weights, meta=meta, **(more or {})), buffer)
        return buffer.getvalue()
    # It refuses tensors that share memory, as tied weights do.
    copies = {
        name: value.clone(memory_format=torch.contiguous_format) for name, value in weights.items()
    }
    # One key: it writes several in an order that changes from call to call.
    return save(copies, metadata={META: to_json(meta)} if meta else dict(format='pt'))
