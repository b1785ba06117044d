"""Parts of a network that each corpus has of its own."""

from collections.abc import Callable, Iterable

from torch import nn

from emoset_cli.models import SHARED


class PerCorpus(nn.ModuleDict):
    """One module for each corpus, or a single one for all under the key ``shared``.

    A batch goes through the module of its corpus only, so that the others get no gradient. A corpus without a module
    of its own takes the shared one.

    Args:
        role: what the modules are, ``adapter`` or ``head``
        corpora: keys, or `SHARED` alone
        make: builds one of the modules
    """

    def __init__(self, role: str, corpora: Iterable[str], make: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.role = role
        for corpus in corpora:
            # Not by ModuleDict's own way: it refuses a corpus called "pop", and a dot would part names in a file.
            self._modules[corpus.replace(".", "/")] = make()

    @property
    def corpora(self) -> list[str]:
        """Keys in order."""
        return [key.replace("/", ".") for key in self]

    def pick(self, corpus: str) -> nn.Module:
        """The module a batch of a corpus goes through."""
        key = corpus.replace(".", "/")
        return self[key if key in self else SHARED]
