"""Pre-trained speech encoders, read from a folder or the hub's cache: configuration, weights, what the input has to be.

Nothing a file holds is ever run: no code of a repository, no pickle.
"""

import copy
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from emoset_cli.errors import EmosetError

SAMPLE_RATE = 16_000
# What transformers calls them in config.json; the docs' table is tested against it.
MODEL_TYPES = (
    "data2vec-audio", "hubert", "sew", "unispeech", "unispeech-sat", "wav2vec2", "wav2vec2-bert", "wav2vec2-conformer",
    "wavlm", "whisper",
)  # fmt: skip
_MELS = ("wav2vec2-bert", "whisper")  # hear log-mel spectrograms, the others the wave itself
_CONFIG = "config.json"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
_INPUT = ("preprocessor_config.json", "processor_config.json")
# Not masked, no layer left out at random: which layers there are must not depend on chance.
_STILL = {
    "mask_time_prob": 0.0, "mask_feature_prob": 0.0, "apply_spec_augment": False, "layerdrop": 0.0,
    "encoder_layerdrop": 0.0, "add_adapter": False, "use_intermediate_ffn_before_adapter": False,
}  # fmt: skip
_UNUSED = "masked_spec_embed"  # only masking reads it; many published files have none


@dataclass(frozen=True)
class Pretrained:
    """A speech encoder's configuration and weights, checked against each other.

    Args:
        name: as the user gave it: of the hub, or a folder
        model_type: one of `MODEL_TYPES`
        normalise: whether each utterance gets zero mean and unit variance before the network hears it
        config: of transformers
        network: the transformers module, in evaluation mode and float32; never changed, see `copied`
        note: what the user should know of the files; "" if nothing
    """

    name: str
    model_type: str
    normalise: bool
    config: Any = field(repr=False)
    network: nn.Module = field(repr=False)
    note: str = ""

    @property
    def width(self) -> int:
        """Features of a frame."""
        return int(self.config.hidden_size)

    @property
    def layers(self) -> int:
        """Transformer layers."""
        return int(self.config.num_hidden_layers)

    @property
    def short(self) -> str:
        """The last part of the name: for names of features."""
        return Path(self.name).resolve().name if Path(self.name).is_dir() else self.name.rpartition("/")[2]

    @cached_property
    def digest(self) -> str:
        """16 hex digits of the configuration and of names and numbers of the weights, whatever file they came from."""
        state = hashlib.blake2b(digest_size=8)
        state.update(json.dumps(self._settings(), sort_keys=True).encode())
        for name, tensor in sorted(self.network.state_dict().items()):
            if not name.endswith(_UNUSED):
                state.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
                state.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return state.hexdigest()

    def copied(self) -> nn.Module:
        """The network, to be trained or cast without a change of this one."""
        return copy.deepcopy(self.network)

    def _settings(self) -> dict[str, Any]:
        """The configuration, without what says nothing of the numbers."""
        config: dict[str, Any] = self.config.to_diff_dict()
        for key in ("transformers_version", "_name_or_path", "architectures", "dtype", "torch_dtype"):
            config.pop(key, None)
        return config


def read_encoder(name: str, progress: bool = False) -> Pretrained:
    """Read a speech encoder.

    Args:
        name: a folder with ``config.json`` and weights, or a name of the hub, taken from its cache or fetched there
        progress: show bars while fetching

    Raises:
        EmosetError: if there is none, it is no speech encoder, or its files are damaged or do not fit
    """
    folder = _folder(name, progress)
    told = _json(folder / _CONFIG, name)
    model_type = str(told.get("model_type", ""))
    if model_type not in MODEL_TYPES:
        what = f"a model of type '{model_type}'" if model_type else "of no model type"
        raise EmosetError(
            f"{name} is {what}, no speech encoder we know", f"name a model of one of: {', '.join(MODEL_TYPES)}"
        )
    if not any((folder / file).is_file() for file in _WEIGHTS):
        raise EmosetError(f"{name} has no weights", f"put one of these into {folder}: {', '.join(_WEIGHTS)}")
    config = _configured(model_type, told, name)
    normalise, note = _input(folder, name, model_type)
    return Pretrained(name, model_type, normalise, config, _network(folder, name, model_type, config), note)


def encoder_files(name: str) -> list[Path]:
    """The files of a speech encoder that `read_encoder` reads; of several kinds of weights the one it prefers.

    Raises:
        EmosetError: if there is no such encoder
    """
    folder = _folder(name, False)
    first = next((file for file in _WEIGHTS if (folder / file).is_file()), "")
    kinds = {"model.safetensors.index.json": "model*.safetensors", "pytorch_model.bin.index.json": "pytorch_model*.bin"}
    shards = sorted(folder.glob(kinds[first])) if first in kinds else []
    named = [folder / file for file in (_CONFIG, *_INPUT, first) if file and (folder / file).is_file()]
    return [*named, *shards]


def _folder(name: str, progress: bool) -> Path:
    """The folder that holds the files of ``name``."""
    folder = Path(name).expanduser()
    if not name:
        raise EmosetError(
            "no speech encoder is named", "--model FOLDER, or a name of the hub such as ORGANISATION/NAME"
        )
    if folder.is_dir():
        if not (folder / _CONFIG).is_file():
            raise EmosetError(f"the folder {name} has no {_CONFIG}", "give the folder that `save_pretrained` wrote")
        return folder
    if name.count("/") > 1 or name.startswith((".", "/", "~")) or "\\" in name:
        raise EmosetError(f"there is no folder {name!r}", "check the path given as --model")
    return _of_hub(name, progress)


def _of_hub(name: str, progress: bool) -> Path:
    """The files of a name of the hub, fetched where its cache has not all."""
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    def fetched(patterns: list[str], **options: Any) -> Path:
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=patterns, **options))

    reason = "only a part of it is in the cache"
    try:
        try:
            folder = fetched(["*"], local_files_only=True)
            if _complete(folder):
                return folder
        except HFValidationError:
            raise EmosetError(f"there is no folder {name!r}", "check the path given as --model") from None
        except (OSError, HfHubHTTPError):
            pass  # not in the cache: to be fetched
        with quiet(progress):
            folder = fetched([_CONFIG, *_INPUT, "model*.safetensors", "model.safetensors.index.json"])
            if not _complete(folder):
                folder = fetched([_CONFIG, *_INPUT, "pytorch_model*.bin", "pytorch_model.bin.index.json"])
        if _complete(folder):
            return folder
    except (OSError, RuntimeError, HfHubHTTPError) as error:
        reason = _first(error)
    raise EmosetError(
        f"{name} is no folder, and of the hub neither whole in its cache here nor to be fetched ({reason})",
        f"on a machine with internet: hf download {name} --local-dir FOLDER; then give the folder as --model",
    )


def _complete(folder: Path) -> bool:
    return (folder / _CONFIG).is_file() and any((folder / file).is_file() for file in _WEIGHTS)


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _json(path: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise EmosetError(f"{path.name} of {name} cannot be read ({_first(error)})", "get the model again") from None
    if not isinstance(found, dict):
        raise EmosetError(f"{path.name} of {name} is no table of settings", "get the model again")
    return found


def _configured(model_type: str, told: dict[str, Any], name: str) -> Any:
    """transformers' configuration, without what is random in training."""
    from transformers import CONFIG_MAPPING

    kind = CONFIG_MAPPING[model_type]
    try:
        with quiet(False):
            config = kind.from_dict({key: value for key, value in told.items() if key != "auto_map"})
            for key, value in _STILL.items():
                if hasattr(config, key):
                    setattr(config, key, value)
            config._attn_implementation = "eager" if model_type == "wavlm" else "sdpa"
    except Exception as error:  # its checks have many ways to refuse
        raise EmosetError(
            f"{_CONFIG} of {name} makes no {model_type} ({_first(error)})", "get the model again"
        ) from error
    return config


def _input(folder: Path, name: str, model_type: str) -> tuple[bool, str]:
    """Whether the wave is to be normalised, and a note where the files do not say so."""
    told: dict[str, Any] | None = None
    for file in _INPUT:
        if told is None and (folder / file).is_file():
            found = _json(folder / file, name)
            told = found.get("feature_extractor", found if file == _INPUT[0] else None)
    rate = (told or {}).get("sampling_rate", SAMPLE_RATE)
    if rate != SAMPLE_RATE:
        raise EmosetError(f"{name} hears speech of {rate} Hz, the store has {SAMPLE_RATE}", "name another model")
    if model_type in _MELS:
        return False, ""
    if told is None:
        return True, f"{name} has no {_INPUT[0]}: each utterance gets zero mean and unit variance"
    return bool(told.get("do_normalize", True)), ""  # true where nothing is said, as in transformers


def _model_class(config: Any) -> Any:
    from transformers import MODEL_MAPPING

    return MODEL_MAPPING[type(config)]


def _of_model(model: Any, model_type: str) -> nn.Module:
    encoder: nn.Module = model.encoder if model_type == "whisper" else model
    return encoder


def _network(folder: Path, name: str, model_type: str, config: Any) -> nn.Module:
    """The network with the weights of a folder.

    Raises:
        EmosetError: if they cannot be read or are not all there
    """
    safe = any((folder / file).is_file() for file in _WEIGHTS[:2])
    options = {
        "config": config, "use_safetensors": safe, "dtype": torch.float32, "local_files_only": True,
        "weights_only": True, "ignore_mismatched_sizes": True, "output_loading_info": True,
        "attn_implementation": config._attn_implementation,
    }  # fmt: skip
    try:
        with quiet(False):
            model, told = _model_class(config).from_pretrained(folder, **options)
    except Exception as error:  # safetensors, zip, pickle and transformers each have many ways to say it
        raise EmosetError(
            f"the weights of {name} cannot be read ({_first(error)})",
            "get the model again: *.safetensors, or a *.bin that holds tensors and nothing else",
        ) from error
    inside = "encoder." if model_type == "whisper" else ""
    missing = sorted(key for key in told["missing_keys"] if key.startswith(inside) and not key.endswith(_UNUSED))
    other = sorted(key for key in told["mismatched_keys"] if key[0].startswith(inside))
    if missing or other:
        facts = [f"{len(missing)} tensors are missing, first {missing[0]}"] if missing else []
        facts += [
            f"{len(other)} have another shape, first {other[0][0]}: {tuple(other[0][1])} instead of "
            f"{tuple(other[0][2])}"
        ] if other else []  # fmt: skip
        raise EmosetError(f"the weights of {name} do not fit its {_CONFIG}: {'; '.join(facts)}", "get the model again")
    return _of_model(model, model_type).eval()


@contextmanager
def quiet(progress: bool) -> Iterator[None]:
    """Keep transformers and the hub from talking, but for bars while something is fetched."""
    logging: Any = import_module("transformers.utils.logging")
    hub: Any = import_module("huggingface_hub.utils")
    before, talks = logging.get_verbosity(), logging.is_progress_bar_enabled()
    hub_talks = not hub.are_progress_bars_disabled()
    logging.set_verbosity_error()
    _bars(logging, hub, False, progress)
    try:
        yield
    finally:
        logging.set_verbosity(before)
        _bars(logging, hub, talks, hub_talks)


def _bars(transformers: Any, hub: Any, ours: bool, hubs: bool) -> None:
    (transformers.enable_progress_bar if ours else transformers.disable_progress_bar)()
    (hub.enable_progress_bars if hubs else hub.disable_progress_bars)()
