"""PyTorch code put on record, kernel by kernel, without a GPU: record(), record_training_step(), Recorder, summary()."""

from .errors import HostReadError, RecordingError
from .host import Host, HostRead
from .recording import Recording
from .session import Recorder, record, record_training_step

__all__ = ["Host", "HostRead", "HostReadError", "Recorder", "Recording", "RecordingError", "record",
           "record_training_step"]
