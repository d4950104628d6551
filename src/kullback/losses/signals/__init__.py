"""What a teacher said about a corpus, on disk: written once, read as often as students are trained."""

from kullback.losses.signals.manifest import fingerprint
from kullback.losses.signals.reader import SignalReader
from kullback.losses.signals.record import Batch, Signal, padded
from kullback.losses.signals.writer import SignalWriter

__all__ = ["Batch", "Signal", "SignalReader", "SignalWriter", "fingerprint", "padded"]
