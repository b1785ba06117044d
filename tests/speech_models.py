"""Tiny speech encoders with random weights, saved as transformers saves real ones."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    CONFIG_MAPPING,
    MODEL_MAPPING,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2FeatureExtractor,
    WhisperFeatureExtractor,
)
from transformers.utils import logging

from emoset_cli.synth.models import LAYERS as LAYER
from emoset_cli.synth.models import WAVES as WAVE

logging.disable_progress_bar()

LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
WHISPER = {
    "d_model": 32, "encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 4, "vocab_size": 64,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_source_positions": 50,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
}  # fmt: skip
# name -> model type and configuration
TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "wav2vec2": ("wav2vec2", WAVE),
    "wav2vec2-large": ("wav2vec2", {**WAVE, **LARGE}),
    "wav2vec2-conformer": ("wav2vec2-conformer", WAVE),
    "wav2vec2-conformer-rotary": ("wav2vec2-conformer", {**WAVE, "position_embeddings_type": "rotary"}),
    "hubert": ("hubert", WAVE),
    "hubert-batch-norm": ("hubert", {**WAVE, "conv_pos_batch_norm": True}),
    "wavlm": ("wavlm", WAVE),
    "wavlm-large": ("wavlm", {**WAVE, **LARGE}),
    "data2vec-audio": ("data2vec-audio", {**WAVE, "num_conv_pos_embeddings": 5, "conv_pos_kernel_size": 5}),
    "unispeech": ("unispeech", WAVE),
    "unispeech-sat": ("unispeech-sat", WAVE),
    "sew": ("sew", {**WAVE, "conv_dim": (16,) * 13, "squeeze_factor": 2}),
    "wav2vec2-bert": ("wav2vec2-bert", LAYER),
    "wav2vec2-bert-relative": ("wav2vec2-bert", {**LAYER, "position_embeddings_type": "relative"}),
    "whisper": ("whisper", WHISPER),
}


def extractor(model_type: str, normalise: bool = True) -> Any:
    """transformers' own input, as it would be published beside such a model."""
    if model_type == "whisper":
        return WhisperFeatureExtractor(chunk_length=1)
    if model_type == "wav2vec2-bert":
        return SeamlessM4TFeatureExtractor(padding_value=1)
    return Wav2Vec2FeatureExtractor(do_normalize=normalise)


def network(name: str, seed: int = 0) -> Any:
    """A network whose biases and norms are not all zero and one, as after training."""
    model_type, options = TINY[name]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = CONFIG_MAPPING[model_type](**options)
        model = MODEL_MAPPING[type(config)](config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() == 1:
                    parameter += 0.1 * torch.randn_like(parameter)
    return model


def save(folder: Path, name: str = "wav2vec2", seed: int = 0, normalise: bool = True) -> Path:
    """Write a model as ``save_pretrained`` does."""
    network(name, seed).save_pretrained(folder)
    extractor(TINY[name][0], normalise).save_pretrained(folder)
    return folder
