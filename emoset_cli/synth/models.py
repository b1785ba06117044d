"""Tiny networks with random weights, saved as real ones are: to try out what would fetch a large one."""

import os
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from emoset_cli import files

NETWORK = "squeezenet1_1"  # the smallest of torchvision's ImageNet networks: 1.2 million weights
# A wav2vec 2.0 of two layers, and the heads of its pre-training.
LAYERS: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
}  # fmt: skip
WAVES: dict[str, Any] = {
    **LAYERS, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4, "conv_dim": (16,) * 7,
}  # fmt: skip
_HEADS: dict[str, Any] = {
    "num_codevectors_per_group": 8, "codevector_dim": 16, "proj_codevector_dim": 16, "num_negatives": 5,
}  # fmt: skip


def tiny_encoder(folder: Path, seed: int = 0, **options: Any) -> Path:
    """A wav2vec 2.0 with the heads of its pre-training, as ``save_pretrained`` writes it; answers the folder.

    Nothing is done where it is there already. It takes no time to train and knows nothing of speech.

    Args:
        folder: becomes the model's
        seed: of the weights
        options: of transformers' ``Wav2Vec2Config``, besides those that make it tiny
    """
    if not (folder / "model.safetensors").is_file():
        import torch

        transformers: Any = import_module("transformers")
        logging: Any = import_module("transformers.utils.logging")
        talks = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            config = transformers.Wav2Vec2Config(**{**WAVES, **_HEADS, **options})
            network = transformers.Wav2Vec2ForPreTraining(config)
        aside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        try:
            network.save_pretrained(aside)
            transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(aside)
            _put(aside, folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
            if talks:
                logging.enable_progress_bar()
    return folder


def _put(aside: Path, folder: Path) -> None:
    """Give a whole folder its name, unless another process was faster."""
    try:
        aside.replace(folder)
    except OSError:
        if not (folder / "model.safetensors").is_file():
            raise


def tiny_network(folder: Path, seed: int = 0) -> Path:
    """Weights of torchvision's smallest ImageNet network, in a safetensors file of its name; answers the file.

    Nothing is done where it is there already.

    Args:
        folder: gets the file
        seed: of the weights
    """
    file = folder / f"{NETWORK}.safetensors"
    if not file.is_file():
        import torch
        from safetensors.torch import save
        from torchvision.models import get_model

        with torch.random.fork_rng():
            torch.manual_seed(seed)
            weights = get_model(NETWORK, weights=None).state_dict()
        files.write_bytes(file, save(weights))
    return file


# What a plan can have made on the spot: name -> function of a folder of its own, which answers a path.
MADE: dict[str, Callable[[Path], Path]] = {"tiny-encoder": tiny_encoder, "tiny-network": tiny_network}
