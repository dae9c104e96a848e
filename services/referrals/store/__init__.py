"""Rows of the schema `referrals` and nothing else: no rule, no commit; the connection comes from the caller."""
