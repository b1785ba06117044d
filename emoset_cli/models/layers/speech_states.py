"""The states between the layers of transformers' speech encoders, for which padding does not exist."""

from collections.abc import Iterator
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.checkpoint import checkpoint

CONFORMERS = ("wav2vec2-bert", "wav2vec2-conformer")


def prepare(transformer: Any, model_type: str, layers: int) -> None:
    """Make a network ready for `states`: padding cannot leak, so many layers, what is unused frozen."""
    encoder = transformer if model_type == "whisper" else transformer.encoder
    encoder.layers = encoder.layers[:layers]
    for part in ("upsample", *["pos_conv_embed"] * (model_type in CONFORMERS)):
        if hasattr(encoder, part):
            getattr(encoder, part).requires_grad_(False)
    if hasattr(transformer, "masked_spec_embed"):
        transformer.masked_spec_embed.requires_grad_(False)
    if model_type == "wavlm":
        for layer in transformer.encoder.layers:
            layer.attention.forward = MethodType(_gated_attention, layer.attention)
    if model_type == "wav2vec2-conformer":
        for layer in transformer.encoder.layers:
            _mask_depthwise(layer)


def states(transformer: Any, model_type: str, hidden: Tensor, valid: Tensor, twice: bool = False) -> Iterator[Tensor]:
    """The input of the first layer, then the output of each, the last one with the network's final norm.

    Layers are computed as they are asked for. Only ``valid`` frames mean anything.

    Args:
        transformer: the transformers module, after `prepare`
        model_type: its type
        hidden: ``(batch, frames, width)``
        valid: ``(batch, frames)``, an utterance's own frames, at least one of each
        twice: compute each layer once more for its gradients instead of keeping what it computed
    """
    total = transformer.config.num_hidden_layers  # its norm belongs to the last of these, computed or not
    if model_type == "whisper":
        yield from _walk(transformer.layers, hidden, {"attention_mask": None}, {total: transformer.layer_norm}, twice)
        return
    encoder = transformer.encoder
    mask = _mask(valid)
    if mask is not None:
        hidden = hidden * valid.unsqueeze(2)
    if model_type in CONFORMERS:
        with_mask: dict[str, Any] = {"attention_mask": mask, "relative_position_embeddings": _relative(encoder, hidden)}
        if model_type == "wav2vec2-bert":
            with_mask["conv_attention_mask"] = None if mask is None else valid
        final = {total: encoder.layer_norm} if hasattr(encoder, "layer_norm") else {}
        yield from _walk(encoder.layers, encoder.dropout(hidden), with_mask, final, twice)
        return
    if model_type == "sew":
        hidden, valid = _squeezed(encoder, hidden, valid)
        mask = _mask(valid)
    else:
        hidden = hidden + _positions(encoder.pos_conv_embed, hidden, valid)
    stable = bool(getattr(encoder.config, "do_stable_layer_norm", False)) and model_type != "sew"
    hidden = encoder.dropout(hidden if stable else encoder.layer_norm(hidden))
    final = {total: encoder.layer_norm} if stable else {}
    yield from _walk(encoder.layers, hidden, {"attention_mask": mask}, final, twice)


def _mask(valid: Tensor) -> Tensor | None:
    """``(batch, 1, 1, frames)`` for attention, None where no frame is padding: attention is faster then."""
    return None if bool(valid.all()) else valid[:, None, None]


def _walk(
    layers: Any, hidden: Tensor, options: dict[str, Any], final: dict[int, nn.Module], twice: bool
) -> Iterator[Tensor]:
    yield hidden
    for number, layer in enumerate(layers, start=1):
        out = checkpoint(layer, hidden, use_reentrant=False, **options) if twice else layer(hidden, **options)
        if isinstance(out, tuple):  # WavLM: the first layer's relative positions are for all
            hidden, options["position_bias"] = out
        else:
            hidden = out
        yield final[number](hidden) if number in final else hidden


def _positions(embed: Any, hidden: Tensor, valid: Tensor) -> Tensor:
    """The convolutional position embedding; its padding at the ends of the batch, zeros, is at an utterance's end."""
    keep = valid.unsqueeze(1)  # batch, 1, frames
    if hasattr(embed, "layers"):  # data2vec: several, one after the other
        hidden = hidden.transpose(1, 2)
        for layer in embed.layers:
            hidden = layer(hidden) * keep
        return hidden.transpose(1, 2)
    if getattr(embed, "batch_norm", None) is not None:  # some HuBERTs
        hidden = embed.batch_norm(hidden.transpose(1, 2)) * keep
        return embed.activation(embed.padding(embed.conv(hidden))).transpose(1, 2)  # type: ignore[no-any-return]
    return embed(hidden)  # type: ignore[no-any-return]


def _squeezed(encoder: Any, hidden: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """SEW's input of its layers: pairs of frames become one; an odd last one has no place of its own."""
    hidden = hidden.transpose(1, 2)
    factor = encoder.config.squeeze_factor
    hidden = F.pad(hidden, (0, -hidden.shape[2] % factor))
    pooled = encoder.pool(hidden)
    positions = encoder.pos_conv_embed(hidden)[..., : pooled.shape[2]]
    own = (valid.sum(1) // factor).clamp(min=1)
    pooled = (pooled + F.pad(positions, (0, pooled.shape[2] - positions.shape[2]))).transpose(1, 2)
    return pooled, torch.arange(pooled.shape[1], device=hidden.device) < own.unsqueeze(1)


def _relative(encoder: Any, hidden: Tensor) -> Tensor | None:
    embed = encoder.embed_positions
    if embed is None:
        return None
    if hasattr(embed, "cached_sequence_length"):
        embed.cached_sequence_length = None  # made in inference mode, it could not be trained with
    return embed(hidden)  # type: ignore[no-any-return]


def _mask_depthwise(layer: Any) -> None:
    """Zero what a conformer's depthwise convolution would read behind an utterance's end.

    The layer tells its attention of the mask, within the same call, also when it is computed once more for gradients.
    """
    conv = layer.conv_module.depthwise_conv

    def remember(_: nn.Module, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        conv.own = options["attention_mask"]

    def clear(_: nn.Module, args: tuple[Tensor]) -> tuple[Tensor] | None:
        return None if conv.own is None else (args[0] * conv.own[:, 0],)

    layer.self_attn.register_forward_pre_hook(remember, with_kwargs=True)
    conv.register_forward_pre_hook(clear)


def _gated_attention(
    self: Any,
    hidden_states: Tensor,
    attention_mask: Tensor | None = None,
    position_bias: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None, Tensor]:
    """WavLM's attention with gated relative positions, by its linear layers (transformers' passes them by).

    Shape:
        hidden_states: ``(batch, frames, width)``
        attention_mask: ``(batch, 1, 1, frames)``, bool
        position_bias: ``(heads, frames, frames)``

    Source:
        Chen et al. 2022 (WavLM), section III.
    """
    batch, frames, _width = hidden_states.shape
    if position_bias is None:
        position_bias = self.compute_bias(frames, frames)
    heads = hidden_states.view(batch, frames, self.num_heads, -1).transpose(1, 2)  # batch, heads, frames, head
    pairs = self.gru_rel_pos_linear(heads).view(batch, self.num_heads, frames, 2, 4).sum(-1)
    one, other = torch.sigmoid(pairs).chunk(2, dim=-1)
    gate = one * (other * self.gru_rel_pos_const - 1.0) + 2.0  # batch, heads, frames, 1
    bias = gate * position_bias
    if attention_mask is not None:
        bias = bias.masked_fill(~attention_mask, torch.finfo(bias.dtype).min)
    query, key, value = (
        project(hidden_states).view(batch, frames, self.num_heads, -1).transpose(1, 2)
        for project in (self.q_proj, self.k_proj, self.v_proj)
    )
    dropout = self.dropout if self.training else 0.0
    out = F.scaled_dot_product_attention(query, key, value, bias.to(query.dtype), dropout)
    return self.out_proj(out.transpose(1, 2).flatten(2)), None, position_bias
