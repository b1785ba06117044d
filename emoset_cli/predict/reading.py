"""Recordings read by several threads, a little ahead of the model: what is held does not grow with their length."""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

from emoset_cli import audio
from emoset_cli.cores import cores
from emoset_cli.predict.inputs import Recording
from emoset_cli.predict.windows import Cut, Cutter, Piece

_AHEAD = 1200 * audio.SAMPLE_RATE  # samples read before they are asked for, 38 MB


class Ended(NamedTuple):
    """A recording was read to its end: its number, what was measured, how many pieces it had and if these are windows.

    Pieces of one that could not be read to its end (``condition.failure``) are of no use.
    """

    recording: int
    condition: audio.Condition
    pieces: int
    windows: bool


class _ClosedError(Exception):
    """Nobody takes what is read any more."""


class _Buffer:
    """What the readers put and one takes; who puts waits while there is much."""

    def __init__(self, readers: int) -> None:
        self._items: deque[tuple[Any, int]] = deque()
        self._held, self._readers = 0, readers
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: Any, size: int) -> None:
        with self._changed:
            while self._held and self._held + size > _AHEAD and not self._closed:
                self._changed.wait()
            if self._closed:
                raise _ClosedError
            self._items.append((item, size))
            self._held += size
            self._changed.notify_all()

    def done(self) -> None:
        """A reader has nothing more to read."""
        with self._changed:
            self._readers -= 1
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Any]:
        while True:
            with self._changed:
                while not self._items and self._readers:
                    self._changed.wait()
                if not self._items:
                    return
                item, size = self._items.popleft()
                self._held -= size
                self._changed.notify_all()
            yield item


@contextmanager
def reading(recordings: Sequence[Recording], cut: Cut, workers: int = 0) -> Iterator[Iterator[Piece | Ended]]:
    """All pieces of all recordings, those of several mixed, each recording's followed by its `Ended`.

    Args:
        recordings: to read
        cut: how they are cut
        workers: threads, 0 for all cores
    """
    count = min(workers or cores(), max(len(recordings), 1))
    buffer = _Buffer(count)
    todo = iter(enumerate(recordings))
    lock = threading.Lock()

    def work() -> None:
        try:
            while True:
                with lock:
                    number, recording = next(todo, (-1, None))
                if recording is None:
                    return
                _read(number, recording, cut, buffer)
        except _ClosedError:
            return
        finally:
            buffer.done()

    with ThreadPoolExecutor(count) as pool:
        readers = [pool.submit(work) for _ in range(count)]

        def items() -> Iterator[Piece | Ended]:
            yield from buffer
            for reader in readers:
                reader.result()  # raises what it has met with

        try:
            yield items()
        finally:
            buffer.close()


def _read(number: int, recording: Recording, cut: Cut, buffer: _Buffer) -> None:
    cutter = Cutter(number, cut, lambda piece: buffer.put(piece, len(piece.samples)))
    condition = audio.read(recording.path, cutter.add)
    if not condition.failure:
        cutter.end()
    buffer.put(Ended(number, condition, cutter.pieces, cutter.windows), 0)
