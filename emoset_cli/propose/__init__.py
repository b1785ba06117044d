"""An unknown corpus: its names and tables are looked at, an entry of the registry is proposed, then tried."""

from emoset_cli.propose.entry import entry_text, key_of
from emoset_cli.propose.proposal import Proposal, propose
from emoset_cli.propose.trial import Trial, try_entry

__all__ = ["Proposal", "Trial", "entry_text", "key_of", "propose", "try_entry"]
