"""What the hub says: one module per noun, the envelope and the topics. Imports pydantic only."""
