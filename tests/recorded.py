"""``emoset`` whose trainings write down each step: which corpus gave its batch, the gradients, the weights after it.

``torchrun -m tests.recorded`` would need the tests to be a package; a script will do: ``torchrun tests/recorded.py``.
"""

import json
import os
import sys
from pathlib import Path

from safetensors.torch import save_file

from emoset_cli.cli.main import main
from emoset_cli.train.deep.training import Training

STEPS = 4
_step = Training.step


def record(folder: Path) -> None:
    """Have each process write ``RANK.json``, and the main one ``gradients-N.safetensors`` of the first steps."""
    heads: list[str] = []
    rank = int(os.environ.get("RANK", "0"))

    def step(self, batches, update=True):
        losses = _step(self, batches, update)
        heads.extend(batch.head for batch in batches)
        (folder / f"{rank}.json").write_text(json.dumps([heads, [batch.rows.tolist() for batch in batches]]))
        return losses

    def gradients(self, closure=None):
        if not rank and len(heads) < STEPS:
            named = self._recorded.network.named_parameters()
            found = {name: one.grad.clone().contiguous() for name, one in named if one.grad is not None}
            save_file(found, folder / f"gradients-{len(heads)}.safetensors")

    def start(self):
        _start(self)
        update = self.optimizer.step
        self.optimizer._recorded = self

        def both(*given, **named):
            gradients(self.optimizer)
            return update(*given, **named)

        self.optimizer.step = both

    _start = Training.start_optimizer
    Training.start_optimizer, Training.step = start, step


if __name__ == "__main__":
    record(Path(sys.argv[1]))
    main(sys.argv[2:])
