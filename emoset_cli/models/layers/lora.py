"""LoRA: low-rank changes of a frozen Transformer's matrices, of each corpus its own, by the library peft."""

from typing import Any

from torch import nn

from emoset_cli.errors import EmosetError

_TARGETS = ("q_proj", "v_proj", "linear_q", "linear_v")  # of attention, in all speech encoders of transformers


class Lora:
    """LoRA adapters of each corpus in the attention of a Transformer, which stays the module it was.

    Args:
        model: whose matrices are changed in place
        corpora: keys
        rank: of the changes

    Raises:
        EmosetError: if the model has no attention that is known, or the rank is below 1

    Source:
        Hu et al. 2022; queries and values, as there. The second matrix starts at zero: at first nothing is changed.
    """

    def __init__(self, model: nn.Module, corpora: list[str], rank: int) -> None:
        from peft import LoraConfig, inject_adapter_in_model

        if rank < 1:
            raise EmosetError(f"--rank is {rank}", "give a whole number from 1 on")
        targets = sorted({name.rpartition(".")[2] for name, _ in model.named_modules()} & set(_TARGETS))
        if not targets:
            raise EmosetError("this encoder has no attention whose matrices LoRA knows", "choose --adapter bottleneck")
        self._names = {corpus: f"corpus-{corpus}".replace(".", "/") for corpus in corpora}
        config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=targets)
        for name in self._names.values():
            inject_adapter_in_model(config, model, adapter_name=name)
        self._layers: list[Any] = [part for part in model.modules() if hasattr(part, "set_adapter")]

    def choose(self, corpus: str) -> None:
        """Let the adapters of a corpus take effect, those of the others not."""
        for layer in self._layers:
            # Not by `set_adapter`: it also freezes the others, and which are trained is settled elsewhere.
            layer._active_adapter = [self._names[corpus]]

    def corpus_of(self, parameter: str) -> str:
        """Whose a parameter is, by its name; "" if it is shared."""
        return next((corpus for corpus, name in self._names.items() if f".{name}." in parameter), "")
