"""The schema's history, oldest first; `jalons migrate` runs what is missing."""
