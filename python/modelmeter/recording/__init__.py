"""PyTorch code put on record, kernel by kernel, without a GPU: record(), record_training_step(), Recorder, summary()."""

from .errors import HostReadError, RecordingError
from .host import Host, HostRead
from .recording import Recording
from .session import Recorder, record, record_training_step
from .summary import Summary, summary

__all__ = ["Host", "HostRead", "HostReadError", "Recorder", "Recording", "RecordingError", "Summary", "record",
           "record_training_step", "summary"]
