"""Command lines of emoset whose trainings write down each step: corpus, rows, gradients. A script, for torchrun."""

import json
import sys
from pathlib import Path

from safetensors.torch import save_file

from emoset_cli import ranks
from emoset_cli.cli.main import main
from emoset_cli.train.deep.training import Training

STEPS = 2  # whose gradients are kept: the first batch of either corpus


def record(folder: Path) -> None:
    """Have each process write ``RANK.json``, and the main one ``gradients-N.safetensors`` of the first steps."""
    begin, learn = Training.start_optimizer, Training.step
    told: list[tuple[str, list[int]]] = []

    def start_optimizer(self):
        begin(self)
        update = self.optimizer.step

        def recorded(*given, **named):
            if ranks.is_main() and len(told) < STEPS:
                weights = self.network.named_parameters()
                found = {name: one.grad.clone().contiguous() for name, one in weights if one.grad is not None}
                save_file(found, folder / f"gradients-{len(told)}.safetensors")
            return update(*given, **named)

        self.optimizer.step = recorded

    def step(self, batches, update=True):
        losses = learn(self, batches, update)
        told.extend((batch.head, batch.rows.tolist()) for batch in batches)
        (folder / f"{ranks.rank()}.json").write_text(json.dumps(told))
        return losses

    Training.start_optimizer, Training.step = start_optimizer, step


if __name__ == "__main__":
    place = Path(sys.argv[1])
    record(place)
    sys.exit(max(main(words) for words in json.loads((place / "commands.json").read_text())))
