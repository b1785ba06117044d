"""What is in corpora: numbers by hand, levels by physics, and a page that holds all of it."""

import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from emoset_cli import audio, levels
from emoset_cli.errors import EmosetError
from emoset_cli.explore import MEASURES, box, by_gender, cells, coverage, duration_histogram, explore, overlap
from emoset_cli.report import plots_corpora, plots_labels
from emoset_cli.report.corpora_page import write_corpora_page
from emoset_cli.report.corpora_tables import speakers_table, stat_tables
from emoset_cli.report.tables import corpora_rows

# ------------------------------------------------------------------------------------------------ levels


def noise(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    """16 kHz int16 noise of an rms, full scale 1."""
    return np.rint(np.random.default_rng(seed).normal(0, level * 32768, int(seconds * 16000))).astype(np.int16)


def test_half_the_amplitude_is_6_db_and_an_offset_is_no_loudness() -> None:
    loud = noise(1, 0.1)
    full, half = levels.measure(loud), levels.measure((loud // 2).astype(np.int16))
    a, b = (levels.columns(0.5, one.rms, one.dc, one.silence, False)["rms_db"] for one in (full, half))
    assert a == pytest.approx(-20, abs=0.1) and a - b == pytest.approx(6.02, abs=0.02)
    lifted = levels.measure((loud // 4 + 8000).astype(np.int16))
    quiet = levels.measure((loud // 4).astype(np.int16))
    told = [levels.columns(0.5, one.rms, one.dc, one.silence, False) for one in (lifted, quiet)]
    assert told[0]["rms_db"] == pytest.approx(told[1]["rms_db"], abs=1e-6) and told[0]["silence"] == 0
    assert levels.columns(0.0, 0.0, 0.0, 1.0, False)["peak_db"] == pytest.approx(-90.31, abs=0.01)


@pytest.mark.parametrize("below, silent", [(28, 0.0), (32, 0.5), (60, 0.5)])
def test_silence_is_30_db_below_the_loudest_frame(below: float, silent: float) -> None:
    tone = np.sin(2 * np.pi * 500 * np.arange(16000) / 16000)  # 10 periods a frame: every frame is equally loud
    joined = np.concatenate([tone, tone * 10 ** (-below / 20)]) * 0.5
    assert levels.measure(np.rint(joined * 32767).astype(np.int16)).silence == silent


def test_silence_needs_no_absolute_level() -> None:
    speech = np.concatenate([noise(1, 0.1), noise(1, 0.0005), noise(2, 0.05)])
    assert levels.measure(speech).silence == 0.25
    assert levels.measure(np.rint(speech / 10).astype(np.int16)).silence == 0.25


def test_less_than_a_frame_is_one_frame() -> None:
    assert levels.measure(noise(0.01, 0.1)).silence == 0.0
    assert levels.measure(np.zeros(0, np.int16)).silence == 0.0 and levels.measure(np.zeros(0, np.int16)).rms == 0.0


@given(st.lists(st.integers(0, 900), max_size=8), st.integers(0, 3))
def test_blocks_do_not_count(sizes: list[int], seed: int) -> None:
    samples = noise(0.15, 0.1, seed)
    whole, pieces = levels.measure(samples), levels.Levels()
    for start, end in zip([0, *np.cumsum(sizes)], [*np.cumsum(sizes), len(samples)], strict=True):
        pieces.add(samples[start:end])
    for name in ("samples", "low", "high", "silence", "dc"):
        assert getattr(pieces, name) == getattr(whole, name), name
    assert pieces.rms == pytest.approx(whole.rms) and pieces.end == whole.end
    assert whole.rms == pytest.approx(float(np.sqrt(((samples / 32768.0) ** 2).mean())))


def test_the_reader_measures_silence(tmp_path: Path) -> None:
    samples = np.concatenate([noise(1, 0.1), noise(1, 0.0005)])
    soundfile.write(tmp_path / "a.flac", samples, 16000)
    soundfile.write(tmp_path / "b.wav", np.repeat(samples, 3), 48000)
    assert audio.read(tmp_path / "a.flac", lambda block: None).silence == 0.5
    assert audio.read(tmp_path / "b.wav", lambda block: None).silence == pytest.approx(0.5, abs=0.02)


# ------------------------------------------------------------------------------------------------ numbers


def test_box_by_hand() -> None:
    found = box(np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 30, 30.004]))
    assert (found["q1"], found["median"], found["q3"]) == (3.5, 6.0, 8.5)
    assert (found["low"], found["high"]) == (1.0, 9.0)  # within 1.5 * 5 of the quartiles
    assert (found["outliers"], found["beyond"]) == ([30.0], 2)


@given(st.lists(st.floats(0.1, 300), min_size=1, max_size=50))
def test_whiskers_by_their_definition(values: list[float]) -> None:
    found, ranked = box(np.array(values)), sorted(values)
    reach = 1.5 * (found["q3"] - found["q1"])
    inside = [value for value in ranked if found["q1"] - reach <= value <= found["q3"] + reach]
    assert found["low"] == min(inside[0], found["q1"]) and found["high"] == max(inside[-1], found["q3"])
    assert found["beyond"] == len(values) - len(inside) and found["min"] <= found["low"] <= found["median"]


def test_histogram_holds_its_lower_edges() -> None:
    found = duration_histogram({"a": np.array([0.0, 0.24, 0.25, 9.99, 10.0, 60.0]), "b": np.array([1.0])})
    assert (len(found["edges"]), found["edges"][0], found["edges"][-1]) == (41, 0.0, 10.0)
    assert (found["counts"]["a"][:2], found["counts"]["a"][-1]) == ([2, 1], 1)
    assert found["longer"] == {"a": 2, "b": 0} and found["counts"]["b"][4] == 1


def people(rows: list[tuple[str, str, str]], corpus: str = "own") -> pd.DataFrame:
    """Utterances from (speaker, gender, label), each with plain measurements."""
    table = pd.DataFrame(rows, columns=["speaker", "gender", "label"])
    n = np.arange(len(rows))
    return table.assign(
        corpus=corpus, utterance=[f"{corpus}/{i}" for i in n], language="deu", duration_s=1.0 + n % 5, peak_db=-1.0,
        rms_db=-20.0 - n % 7, silence=0.1, clipped=n == 0, native_sample_rate=16000, channels=1,
        audio=[f"{corpus}{i}" for i in n],
    )  # fmt: skip


MIXED = people(
    [
        ("m2", "male", "joy"),
        ("f10", "female", "joy"),
        ("f2", "female", "fear"),
        ("f2", "female", "fear"),
        ("x", "", "joy"),
    ]
)


def test_cells_by_hand() -> None:
    found = cells(MIXED, ["joy", "fear"])
    assert (found["speakers"], found["genders"]) == (["f2", "f10", "m2", "x"], ["female", "female", "male", ""])
    assert found["counts"] == [[0, 2], [1, 0], [1, 0], [1, 0]] and (found["empty"], found["of"]) == (4, 8)
    assert by_gender(MIXED, ["joy", "fear"]) == {
        "joy": {"female": 1, "male": 1, "unknown": 1}, "fear": {"female": 2, "male": 0, "unknown": 0},
    }  # fmt: skip


def test_overlap_by_hand() -> None:
    found = overlap({"a": ["joy", "fear", "calm"], "b": ["fear", "joy"], "c": ["fear", "rage"]})
    assert found["shared"] == [[3, 2, 1], [2, 2, 1], [1, 1, 2]] and found["common"] == ["fear"]
    assert found["labels"]["joy"] == ["a", "b"] and next(iter(found["labels"])) == "fear"


def test_labels_without_an_entry_are_counted_and_named() -> None:
    tables = {
        "a": people([("s", "", x) for x in ("anger", "calm", "calm", "sadness")]),
        "b": people([("s", "", "pain")]),
    }
    found = coverage(tables)
    assert found["arousal"]["a"] == {"mapped": {"low": 1, "high": 1}, "left_out": {"calm": 2}}
    assert found["arousal"]["b"] == {"mapped": {"low": 0, "high": 0}, "left_out": {"pain": 1}}
    assert "common" not in found  # they share no two labels
    both = coverage({"a": tables["a"], "c": people([("s", "", x) for x in ("anger", "sadness", "joy")], "c")})
    assert both["common"]["c"] == {"mapped": {"anger": 1, "sadness": 1}, "left_out": {"joy": 1}}


def test_all_numbers_of_a_corpus() -> None:
    found = explore({"own": MIXED}, {"own": ["joy", "fear"]})["corpora"]["own"]
    assert (found["utterances"], found["clipped"], found["formats"]) == (5, 1, {"16000 Hz, 1 channel": 5})
    assert next(iter(found["longest"].items())) == ("own/4", 5.0) and next(iter(found["shortest"])) == "own/0"
    assert sum(found["rms_db"]["histogram"]) == 5 and found["cells"]["labels"] == ["joy", "fear"]


def test_an_old_table_is_told_to_be_prepared_again() -> None:
    with pytest.raises(EmosetError, match=r"table of own has no silence: an older emoset .*\n  mend: .*emoset prepare"):
        explore({"own": MIXED.drop(columns="silence")})


# ------------------------------------------------------------------------------------------------ plots and page


class Parser(HTMLParser):
    """Fails on a tag that is closed and not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in {"meta", "br", "wbr"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def many(speakers: int, corpus: str = "big") -> pd.DataFrame:
    rows = [
        (f"s{n}", ("female", "male")[n % 2], label) for n in range(speakers) for label in ("joy", "fear")[: 1 + n % 2]
    ]
    return people(rows, corpus)


@pytest.mark.parametrize("speakers", [1, 7, 60, 61, 500])
def test_cells_are_drawn_for_any_number_of_speakers(speakers: int) -> None:
    table = many(speakers)
    found = cells(table, sorted(set(table["label"])))
    svg = plots_labels.cells_plot(found, "Labels & speakers")
    assert ElementTree.fromstring(svg).find("{http://www.w3.org/2000/svg}title").text == "Labels & speakers"
    assert len(svg) < 120_000
    if speakers > 60:
        assert f"fear: {(speakers + 1) // 2} speakers have 0 utterances" in svg
    else:
        assert svg.count("no utterances") == found["empty"]


def test_empty_cells_are_visible() -> None:
    svg = plots_labels.cells_plot(cells(MIXED, ["joy", "fear"]), "x")
    assert "f2 (female): 2 utterances" in svg and "f2, joy: no utterances" in svg
    assert svg.count("stroke-opacity") == 4  # struck through


def test_the_axis_is_logarithmic_above_10_s() -> None:
    def at(longest: float) -> list[float]:
        svg = plots_corpora.duration_boxes({"a": {"duration_s": box(np.array([1.0, longest]))}})
        ticks = re.findall(r'<text class="soft"[^>]* x="([\d.]+)"[^>]*>(\d+)</text>', svg)
        places = {int(tick): float(x) for x, tick in ticks}
        return [places[tick] for tick in ((0, 4, 8, 10, 100) if longest > 10 else (0, 4, 8, 10))]

    zero, four, eight, ten, hundred = at(90.0)
    assert eight - four == pytest.approx(four - zero) and hundred - ten < eight - zero
    assert "logarithmic" in plots_corpora.duration_boxes({"a": {"duration_s": box(np.array([1.0, 90.0]))}})
    assert "logarithmic" not in plots_corpora.duration_boxes({"a": {"duration_s": box(np.array([1.0, 9.0]))}})


@pytest.mark.parametrize("corpora", [1, 2, 30])
def test_a_page_of_any_number_of_corpora(corpora: int, tmp_path: Path) -> None:
    tables = {f"c{n}": many(3 + n, f"c{n}") for n in range(corpora)}
    stats, rows = explore(tables), corpora_rows(pd.concat(tables.values()))
    page = write_corpora_page(tmp_path, stats, rows, leaks=[{"text": "a leak <b> of c0"}])
    parser = Parser()
    parser.feed(text := page.read_text("utf-8"))
    assert parser.open == [] and all(address.startswith("#") for address in parser.addresses)
    assert "a leak &lt;b&gt; of c0" in text and "pairs are empty" in text
    assert {path.name for path in tmp_path.iterdir()} == {
        "report.html", "results.md", "results.tex", "results.csv", "stats.json", "figures", "tables",
    }  # fmt: skip
    for figure in (tmp_path / "figures").iterdir():
        ElementTree.parse(figure)
    assert (
        page.read_bytes()
        == write_corpora_page(tmp_path, stats, rows, leaks=[{"text": "a leak <b> of c0"}]).read_bytes()
    )


def test_tables_hold_the_numbers() -> None:
    tables = {table.title: table for table in stat_tables(explore({"own": MIXED}), corpora_rows(MIXED))}
    assert set(tables) == {"Corpora", "Durations", "Levels", "Labels and speakers", "Label spaces"}
    assert ["own", "joy", 3, 1, 1, 1, 3, 1] in tables["Labels and speakers"].rows
    assert tables["Labels and speakers"].note.endswith("without an utterance: own: 4 of 8.")
    assert tables["Levels"].cells()[0][2] == "−1.0 [−1.0, −1.0]"
    assert speakers_table("own", cells(MIXED, ["joy", "fear"])).rows[0] == ["f2", "female", 2, 0, 2]
    left = {(row[0], row[1]): row[5] for row in tables["Label spaces"].rows}
    assert left["arousal", "own"] is None


def test_the_command_writes_the_page_and_prints_the_tables(emoset: Callable, prepared: Path, tmp_path: Path) -> None:
    workspace = shutil.copytree(prepared, tmp_path / "workspace")
    result = emoset("corpora", "stats", "-d", workspace)
    page = workspace / "reports" / "corpora" / "report.html"
    assert result.code == 0 and result.err == f"page: {page}\n" and page.is_file()
    for title in ("Corpora", "Labels shared", "Durations", "Levels", "Labels and speakers", "Label spaces"):
        assert title in result.out
    value = emoset("corpora", "stats", "demo-aria", "-o", workspace / "one", "-d", workspace, "--json", "-q").json()
    assert list(value["corpora"]) == ["demo-aria"] and value["page"] == str(workspace / "one" / "report.html")
    aria = value["corpora"]["demo-aria"]
    table = pd.read_parquet(workspace / "corpora" / "demo-aria" / "utterances.parquet")
    assert aria["clipped"] == table["clipped"].sum() and aria["cells"]["of"] == 50
    assert aria["silence"]["median"] == pytest.approx(table["silence"].median())
    assert table["rms_db"].between(-60, 0).all() and set(MEASURES) <= set(table)
    result = emoset("corpora", "stats", "nobody", "-d", workspace)
    assert result.code == 1 and result.out == "" and "unknown prepared corpus" in result.err


@pytest.mark.real
def test_urdu_has_83_empty_cells_of_116(emoset: Callable, real: Path, tmp_path: Path) -> None:
    assert emoset("prepare", f"urdu={real / 'urdu'}", "-d", tmp_path, "-q").code == 0
    found: Any = emoset("corpora", "stats", "-d", tmp_path, "-q", "--json").json()["corpora"]["urdu"]
    assert (found["cells"]["empty"], found["cells"]["of"]) == (83, 116)
    assert found["genders"]["anger"]["female"] == 0
