"""TensorBoard's event files, read back with TensorBoard's own reader."""

import sys

import pytest

from emoset_cli.errors import EmosetError
from emoset_cli.train.deep import board


def epoch(number, uar, fold="1", **more):
    return {"fold": fold, "epoch": number, "step": 0, "lr": 0.1, "train_loss": 2 / number, "devel_uar": uar, **more}


def scalars(folder, tag=board.TAGS["devel_uar"]):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    return [(event.step, round(event.value, 6)) for event in events.Scalars(tag)]


def test_every_epoch_is_there_once_after_a_resume(tmp_path):
    history = [epoch(number, number / 10, **{"devel_uar:emodb": 0.5}) for number in (1, 2, 3, 4)]
    for end in (1, 2, 3, 4):
        board.write_epoch(tmp_path, history[:end])
    again = [*history[:2], epoch(3, 0.9)]  # killed; the state was of epoch 2, and epoch 3 came out otherwise
    board.write_epoch(tmp_path, again)
    place = tmp_path / "tensorboard" / "1"
    assert scalars(place) == [(1, 0.1), (2, 0.2), (3, 0.9)]
    assert scalars(place, board.TAGS["train_loss"]) == [(1, 2.0), (2, 1.0), (3, pytest.approx(0.666667))]
    assert scalars(place, board.TAGS["lr"]) == [(1, 0.1), (2, 0.1), (3, 0.1)]
    assert scalars(place, "devel/UAR emodb") == [(1, 0.5), (2, 0.5)]
    assert len(list(place.iterdir())) == 1


def test_half_an_epoch_left_by_a_killed_process_is_written_again(tmp_path, monkeypatch):
    place = tmp_path / "tensorboard" / "1"
    history = [epoch(1, 0.1), epoch(2, 0.2), epoch(3, 0.3)]
    for end, now in ((1, 1000.0), (2, 2000.0)):
        monkeypatch.setattr(board, "time", lambda now=now: now)
        board.write_epoch(tmp_path, history[:end])
    (file,) = place.iterdir()
    file.write_bytes(file.read_bytes()[:-5])  # killed while it wrote the last value
    monkeypatch.setattr(board, "time", lambda: 3000.0)
    board.write_epoch(tmp_path, history)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(place)).Reload().Scalars(board.TAGS["devel_uar"])
    assert [(event.step, event.wall_time) for event in events] == [(1, 1000.0), (2, 3000.0), (3, 3000.0)]


def test_a_reader_that_looks_on_sees_no_point_twice(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = [epoch(1, 0.1), epoch(2, 0.2)]
    board.write_epoch(tmp_path, history[:1])
    reader = EventAccumulator(str(tmp_path / "tensorboard" / "1")).Reload()
    board.write_epoch(tmp_path, history)
    assert [event.step for event in reader.Reload().Scalars(board.TAGS["devel_uar"])] == [1, 2]


def test_epochs_from_before_it_was_asked_for_are_added(tmp_path):
    board.write_epoch(tmp_path, [epoch(1, 0.1)])
    board.write_epoch(tmp_path, [epoch(number, number / 10) for number in (1, 2, 3, 4)])
    assert scalars(tmp_path / "tensorboard" / "1") == [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4)]


def test_a_training_from_the_start_replaces_what_was_there(tmp_path):
    for end in (1, 2, 3):
        board.write_epoch(tmp_path, [epoch(number, 0.1) for number in range(1, end + 1)])
    for end in (1, 2):
        board.write_epoch(tmp_path, [epoch(number, 0.7) for number in range(1, end + 1)])
    assert scalars(tmp_path / "tensorboard" / "1") == [(1, 0.7), (2, 0.7)]


def test_folds_have_folders_of_their_own(tmp_path):
    history = [epoch(1, 0.1, "1"), epoch(2, 0.2, "1"), epoch(1, 0.5, "emodb/03")]
    board.write_epoch(tmp_path, history[:2])
    board.write_epoch(tmp_path, history)
    first, second = sorted((tmp_path / "tensorboard").iterdir())
    assert scalars(first) == [(1, 0.1), (2, 0.2)]
    assert second.name.startswith("emodb-03-") and scalars(second) == [(1, 0.5)]


def test_without_tensorboard_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(EmosetError, match="TensorBoard is not installed") as caught:
        board.write_epoch(tmp_path, [epoch(1, 0.1)])
    assert caught.value.mend == "pip install 'emoset[tensorboard]'"
    assert not list(tmp_path.iterdir())
