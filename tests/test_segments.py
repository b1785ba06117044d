"""Segments as a view: what they cover, what is read, and means over them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoset_cli.train.deep.segments import cut, mean_of_segments


@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=20),
    st.integers(1, 100).flatmap(lambda segment: st.tuples(st.just(segment), st.integers(1, segment))),
)
def test_all_speech_is_in_a_segment_and_none_is_beyond_its_end(lengths, sizes):
    segment, shift = sizes
    found = cut(np.array(lengths), segment, shift)
    assert found.lengths.min() >= 1 and found.lengths.max() <= segment
    for row, length in enumerate(lengths):
        own = found.owner == row
        starts, ends = found.starts[own], (found.starts + found.lengths)[own]
        heard = np.zeros(length, bool)
        for start, end in zip(starts, ends, strict=True):
            heard[start:end] = True
        assert heard.all() and ends.max() == length and starts[0] == 0
        assert (np.diff(starts) == shift).all() and (found.lengths[own][:-1] == segment).all()
        # No segment more than is needed: without the last one some speech would be in none.
        assert len(starts) == 1 or ends[-2] < length


def test_segments_of_the_paper():
    """3 s every 1 s at 16 kHz: 2.5 s are one segment, 3.0 s one, 4.2 s three, the last of 2.2 s."""
    found = cut(np.array([40_000, 48_000, 67_200]), 48_000, 16_000)
    assert found.owner.tolist() == [0, 1, 2, 2, 2]
    assert found.starts.tolist() == [0, 0, 0, 16_000, 32_000]
    assert found.lengths.tolist() == [40_000, 48_000, 48_000, 48_000, 35_200]


def test_the_mean_over_segments_is_an_utterances_own():
    values = np.array([[0.2, 0.8], [0.4, 0.6], [1.0, 0.0], [np.nan, np.nan]], np.float32)
    found = mean_of_segments(values, np.array([0, 0, 1, 2]), 3)
    assert found[0] == pytest.approx([0.3, 0.7]) and found[1].tolist() == [1.0, 0.0] and np.isnan(found[2]).all()
