"""References recorded from PyTorch. The recorder is modelmeter's own (python/modelmeter/recording), here or installed."""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("modelmeter") is None:
    sys.path.append(str(Path(__file__).resolve().parents[3] / "python"))
