"""The proof of what was stored and erased: a chain of signed lines."""

from santral.recorder.ledger.ledger import Ledger, Place, examine, missing_anchor, public_key
from santral.recorder.ledger.line import Entry, LedgerError

__all__ = ["Entry", "Ledger", "LedgerError", "Place", "examine", "missing_anchor", "public_key"]
