"""Recurrent layers without cuDNN: its kernel of all time steps looks at where weights lie, which fake tensors do not say.

What runs is ATen's own code, as with torch.backends.cudnn.enabled = False: for each step a matrix product and the cell.
FLOPs are the same; launches and time are those of that code, not of cuDNN's.
"""

from __future__ import annotations

import contextlib
from typing import Iterator
from unittest import mock

import torch

from . import values
from .errors import RecordingError, line_running

_FUNCTIONS = ("lstm", "gru", "rnn_tanh", "rnn_relu")


def _aten_own(function):
    def run(*args, **kwargs):
        enabled = torch._C._get_cudnn_enabled()
        torch._C._set_cudnn_enabled(False)
        try:
            return function(*args, **kwargs)
        finally:
            torch._C._set_cudnn_enabled(enabled)

    return run


@contextlib.contextmanager
def without_cudnn() -> Iterator[None]:
    """Within: torch.nn.LSTM, GRU and RNN run ATen's own code."""
    with contextlib.ExitStack() as stack:
        for name in _FUNCTIONS:
            stack.enter_context(mock.patch.object(torch._VF, name, _aten_own(getattr(torch._VF, name)), create=True))
        # Else weights that are others than before are moved together, for cuDNN.
        stack.enter_context(mock.patch.object(torch.nn.RNNBase, "flatten_parameters", lambda _: None))
        yield


def pack_padded_sequence(input, lengths, batch_first):
    """The steps of sequences sorted by length, those of one step together: a part for each length, and one copy of all."""
    known = values.known(lengths)
    if known is None:
        raise RecordingError("lengths of packed sequences depend on values that do not follow from the inputs", line_running())
    if batch_first:
        input = input.transpose(0, 1)
    parts, sizes, before = [], [], 0
    sorted_lengths = [int(length) for length in known.tolist()]
    steps, sequences = input.shape[:2]
    if (len(sorted_lengths) != sequences or sorted_lengths != sorted(sorted_lengths, reverse=True)
            or not all(1 <= length <= steps for length in sorted_lengths)):
        raise RecordingError(f"lengths of packed sequences must descend, each from 1 to {steps}, one for each of "
                             f"{sequences}: they are {sorted_lengths}", line_running())
    for count in range(len(sorted_lengths), 0, -1):  # the shortest of those that are left
        length = sorted_lengths[count - 1]
        if length > before:
            part = input[before:length, :count]
            parts.append(part.reshape(part.shape[0] * count, *input.shape[2:]))
            sizes += [count] * (length - before)
            before = length
    return torch.cat(parts), sizes
