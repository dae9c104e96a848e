"""Backups: one file from one snapshot of the database; a restore that forgets whom the hub had forgotten."""
