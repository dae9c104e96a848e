"""Reliable delivery: the only code that sends events, commits offsets, retries, parks and reconciles."""
