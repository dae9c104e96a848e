"""What partners do: load, decide, save, say; a command never commits."""
