"""德育积分: points on a ledger that cannot lie."""

__version__ = "0.1.0"
