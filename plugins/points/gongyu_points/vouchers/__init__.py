"""Vouchers on paper (德育积分券): printed out of a quota, handed over, deposited once."""
