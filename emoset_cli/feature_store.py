"""Features on disk, keyed by what made them: the audio's hash and the extractor's settings, never a name alone.

``features/egemaps-v02_1a2b3c4d/emodb.npy`` holds one row for each recording, ``emodb.json`` the settings, the names of
the columns, the audio hash of each row and a checksum. Finished parts of an unfinished extraction lie in
``emodb.parts/`` and are taken up again. Rows are found by audio hash: other labels, partitions or file names need no
new extraction, other audio or settings always do. Several processes share the parts; the main one joins them.
"""

import io
import shutil
from collections.abc import Callable, Container
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from emoset_cli import features, ranks
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.extraction import amount, longest_first, together
from emoset_cli.features import Recipe
from emoset_cli.files import atomic, digest, read_json, sweep, write_json
from emoset_cli.parallel import run_jobs
from emoset_cli.prepare import corpus_folder
from emoset_cli.store import AudioStore

_PER_JOB = 16  # utterances
_NAMES = "columns.json"


def feature_folder(workspace: Path, feature: str | Recipe) -> Path:
    """Where a feature set lives: with its present settings, or those it was extracted with (see `find`)."""
    if isinstance(feature, Recipe):
        return workspace / "features" / _full_name(feature.settings)
    if feature in features.FEATURES:
        return workspace / "features" / _full_name(features.settings(feature))
    return workspace / "features" / find(workspace, feature)


def _full_name(settings: dict[str, Any]) -> str:
    return f"{settings['feature']}_{digest(settings, length=8)}"


def find(workspace: Path, name: str) -> str:
    """The name by which `load` knows a feature set: aliases resolved, options of the user's as hex digits behind it.

    A set with options is found by what was extracted: ``deepspectrum`` where there is one of this family,
    ``deepspectrum-vgg16`` where there is one of this name, else ``deepspectrum-vgg16_1a2b3c4d``.

    Raises:
        EmosetError: for an unknown name, or one that was extracted with several settings or not at all
    """
    family = features.family_of(name)
    if not family:
        return features.find_feature(name)
    there = extracted(workspace)
    found = {full: made for full, made in there.items() if name in (full, made["feature"], family)}
    if len(found) == 1:
        return next(iter(found))
    if found:
        several = "; ".join(f"{full} ({told})" for full, told in _differences(found).items())
        raise EmosetError(
            f"{name} was extracted with several settings: {several}", f"choose: --feature {next(iter(found))}"
        )
    if there and name != family:
        raise unknown("extracted feature", name, there)
    raise EmosetError(f"no {name} features were extracted here", f"emoset extract {family}")


def extracted(workspace: Path) -> dict[str, dict[str, Any]]:
    """Settings of the feature sets with options that some corpus has here, by name with digits."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((workspace / "features").glob("*_????????/*.json")):
        full = path.parent.name
        if full in found or not features.family_of(full):
            continue
        try:
            made = read_json(path)["settings"]
            if _full_name(made) == full:
                found[full] = made
        except (EmosetError, OSError, KeyError, TypeError):
            continue  # damaged: `load` says so of the corpus it belongs to
    return found


def _differences(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    """What is not the same in all of several settings, in words."""
    flat = {
        full: {**{key: value for key, value in made.items() if key not in {"feature", "options"}}, **made["options"]}
        for full, made in found.items()
    }
    keys = dict.fromkeys(key for made in flat.values() for key in made)
    different = [key for key in keys if len({str(made.get(key)) for made in flat.values()}) > 1]
    return {full: ", ".join(f"{key} {made.get(key)}" for key in different) for full, made in flat.items()}


def settings(workspace: Path, name: str) -> dict[str, Any]:
    """Everything that can change the numbers of a feature set: its present settings, or those it was extracted with."""
    return features.settings(name) if name in features.FEATURES else extracted(workspace)[find(workspace, name)]


def extract(
    workspace: Path,
    feature: str | Recipe,
    key: str,
    utterances: Any,
    workers: int = 0,
    force: bool = False,
    progress: Callable[[int, float], Any] = lambda utterances, seconds: None,
) -> list[str]:
    """Extract what is missing of a feature set for a corpus; answer the utterances that have no finite features.

    Args:
        workspace: the folder of what the tool makes
        feature: full name of a feature set without options, or a recipe
        key: corpus
        utterances: its utterance table
        workers: processes, 0 for all cores
        force: extract everything again
        progress: called with (utterances, seconds of speech) as they are done
    """
    recipe = feature if isinstance(feature, Recipe) else Recipe(features.settings(feature))
    made = (recipe.settings["feature"], recipe.means)
    folder = feature_folder(workspace, recipe)
    parts = folder / f"{key}.parts"
    rows = utterances.drop_duplicates("audio")
    have: dict[str, np.ndarray] = {}

    def begin() -> list[str]:
        have.update(_begin(folder, key, parts, force))
        return list(have)

    there = set(ranks.of_main(begin))
    seconds = dict(zip(rows["audio"], rows["duration_s"], strict=True))
    progress(*amount(seconds, there))
    cells = longest_first(rows[~rows["audio"].isin(there)])
    audio = corpus_folder(workspace, key) / "audio"
    jobs = [(*made, audio, parts, some) for some in together(cells, _PER_JOB)]
    heard = set(there)
    with ranks.in_step():
        for part in run_jobs(_extract_part, ranks.share(jobs), workers):
            heard.update(part)
            progress(*amount(seconds, part))
    if ranks.several():  # what the others did
        progress(*amount(seconds, seconds.keys() - heard))
    finite: dict[str, bool] = ranks.of_main(lambda: _end(folder, key, recipe, rows["audio"].tolist(), have))
    return [
        utterance
        for utterance, sound in zip(utterances["utterance"], utterances["audio"], strict=True)
        if not finite[sound]
    ]


def _begin(folder: Path, key: str, parts: Path, force: bool) -> dict[str, np.ndarray]:
    """What was extracted before, by audio hash."""
    sweep(folder)
    if force:
        shutil.rmtree(parts, ignore_errors=True)
    return ({} if force else _read_whole(folder, key)) | _read_parts(parts)


def _end(folder: Path, key: str, recipe: Recipe, sounds: list[str], have: dict[str, np.ndarray]) -> dict[str, bool]:
    """Join the parts to what there was; answer whether the features of each sound are finite.

    Raises:
        EmosetError: if some are not there
    """
    parts = folder / f"{key}.parts"
    new = not have.keys() >= set(sounds) or not (folder / f"{key}.json").is_file()
    names = _read_names(parts) if new else []
    have = have | _read_parts(parts) if new else have
    if not have.keys() >= set(sounds):  # another process was through with the same and has removed the parts
        have |= _read_whole(folder, key)
    if not have.keys() >= set(sounds):
        raise EmosetError(f"features were removed from {folder} at the same time", "give the same command again")
    if list(have) != sounds or parts.is_dir() or not (folder / f"{key}.json").is_file():
        names = names or extractor(recipe.settings["feature"], recipe.means)[0]
        _write_whole(folder, key, recipe.settings, names, {sound: have[sound] for sound in sounds})
        shutil.rmtree(parts, ignore_errors=True)
    return {sound: bool(np.isfinite(have[sound]).all()) for sound in sounds}


def _extract_part(name: str, means: dict[str, Any], audio: Path, parts: Path, cells: list[tuple]) -> list[str]:
    """Write the features of some utterances as a part; answer their audio hashes.

    The features go by file, not by the answer: a worker killed in the middle of a long answer would leave its reader
    waiting for ever.
    """
    store = AudioStore(audio)
    waveforms = [store.verified(*cell) for cell in cells]
    names, extract_batch = extractor(name, means)
    values = extract_batch(waveforms)
    hashes = [cell[-1] for cell in cells]
    with suppress(FileNotFoundError):  # another process was through with the same and has removed the folder
        with atomic(parts / f"{digest(hashes)}.npz") as aside, aside.open("wb") as file:
            np.savez(file, audio=np.array(hashes), values=values)
        if not (parts / _NAMES).is_file():
            write_json(parts / _NAMES, names)
    return hashes


_built: dict[str, Any] = {}  # an extractor a process: building one costs more than an utterance


def extractor(name: str, means: dict[str, Any]) -> Any:
    """What `features.build` answers, built once a process."""
    key = digest(name, means)
    if key not in _built:
        _built[key] = features.build(name, **means)
    return _built[key]


def _read_names(parts: Path) -> list[str]:
    """Names of the features, as a worker wrote them: openSMILE is then not imported in this process."""
    try:
        names: list[str] = read_json(parts / _NAMES)
    except EmosetError:
        return []
    return names


def _read_parts(parts: Path) -> dict[str, np.ndarray]:
    have: dict[str, np.ndarray] = {}
    for path in sorted(parts.glob("*.npz")) if parts.is_dir() else []:
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as part:
                have |= dict(zip(part["audio"].tolist(), part["values"], strict=True))
        except (OSError, EOFError, KeyError, ValueError, BadZipFile):
            continue  # damaged on disk: extracted again
    return have


def _write_whole(
    folder: Path, key: str, settings: dict[str, Any], names: list[str], have: dict[str, np.ndarray]
) -> None:
    values = np.stack(list(have.values()))
    raw = io.BytesIO()
    np.save(raw, values)
    with atomic(folder / f"{key}.npy") as aside:
        aside.write_bytes(raw.getvalue())
    made = {"settings": settings, "columns": names, "audio": list(have)}
    write_json(folder / f"{key}.json", made | {"checksum": digest(raw.getvalue(), made)})


def _read_whole(folder: Path, key: str) -> dict[str, np.ndarray]:
    """Rows by audio hash; nothing where there is none or it is damaged (it is then extracted again)."""
    try:
        _, values, hashes = _load(folder, key)
    except (EmosetError, OSError):
        return {}
    return dict(zip(hashes, values, strict=True))


def _load(folder: Path, key: str) -> tuple[list[str], np.ndarray, list[str]]:
    made = read_json(folder / f"{key}.json")
    npy = folder / f"{key}.npy"
    raw = npy.read_bytes() if npy.is_file() else b""
    checksum = made.pop("checksum", "") if isinstance(made, dict) else ""
    if digest(raw, made) != checksum:
        raise EmosetError(f"{npy} or its .json is not what `emoset extract` wrote", "extract it again")
    return made["columns"], np.load(io.BytesIO(raw), allow_pickle=False), made["audio"]


def check(folder: Path, key: str) -> set[str]:
    """Audio hashes of the rows of a corpus, after looking at everything that `extract` wrote.

    Raises:
        EmosetError: if it is not what was written, or not of this folder
    """
    columns, values, hashes = _load(folder, key)
    made = read_json(folder / f"{key}.json")["settings"]
    if _full_name(made) != folder.name or values.shape != (len(hashes), len(columns)):
        raise EmosetError(f"{folder / key}.json tells of other features", "extract it again")
    return set(hashes)


def load(workspace: Path, name: str, key: str, utterances: Any) -> tuple[list[str], np.ndarray]:
    """Names of the features, and a row for each utterance of the table: float32 ``(utterances, features)``.

    Raises:
        EmosetError: if they were not extracted, are stale (other audio), damaged, not finite, or frames
    """
    folder = feature_folder(workspace, name)
    if name not in features.FEATURES and features.has_frames(settings(workspace, name)):
        raise EmosetError(
            f"{name} holds frames, and one vector an utterance is wanted",
            f"emoset train embedding --feature {name}, or extract it again with --pool mean",
        )
    if not (folder / f"{key}.json").is_file():
        raise EmosetError(f"{key} has no {name} features", command(workspace, name, key))
    columns, values, hashes = _load(folder, key)
    row_of = {sound: row for row, sound in enumerate(hashes)}
    check_there(workspace, name, key, utterances, row_of)
    rows = values[[row_of[sound] for sound in utterances["audio"]]]
    check_finite(name, utterances["utterance"][~np.isfinite(rows).all(axis=1)].tolist())
    return columns, rows.astype(np.float32, copy=False)


def check_there(workspace: Path, name: str, key: str, utterances: Any, there: Container[str]) -> None:
    """Refuse utterances whose audio has no features.

    Raises:
        EmosetError: if there are such
    """
    missing = [u for u, sound in zip(utterances["utterance"], utterances["audio"], strict=True) if sound not in there]
    if missing:
        raise EmosetError(
            f"{len(missing)} utterances of {key} are newer than its {name} features, the first is {missing[0]}",
            command(workspace, name, key),
        )


def check_finite(name: str, bad: list[str]) -> None:
    """Refuse to go on where there are ``bad`` utterances.

    Raises:
        EmosetError: if there are any
    """
    if bad:
        raise EmosetError(
            f"{len(bad)} utterances have no finite {name} features, the first is {bad[0]}",
            "they are too short for the extractor: leave them out by `emoset prepare` with a larger --min-duration",
        )


def command(workspace: Path, name: str, key: str) -> str:
    """What to type to extract a feature set for one more corpus."""
    family = features.family_of(name)
    if not family:
        return f"emoset extract {name} {key}"
    options = " ".join(f"--{option} {value}" for option, value in settings(workspace, name)["options"].items())
    return f"emoset extract {family} {key} {options}, {features.again(name)}"


def shape(workspace: Path, feature: str | Recipe, key: str) -> tuple[int, int]:
    """Number of features and of recordings stored."""
    made = read_json(feature_folder(workspace, feature) / f"{key}.json")
    return len(made["columns"]), len(made["audio"])
