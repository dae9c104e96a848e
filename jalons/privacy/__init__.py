"""Privacy of persons: sealing, keys, aliases, spoken references, the audit, and what each reader may see."""
