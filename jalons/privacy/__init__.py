"""Keeps persons unnamed: sealing, keys, aliases, spoken references, and what each reader may see of an event."""
