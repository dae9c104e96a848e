"""What the hub costs and how fast it is, on this machine: figures compare within one run only. See README.md."""
