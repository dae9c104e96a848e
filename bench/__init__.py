"""What the hub costs and how fast it is, measured on the machine at hand; figures are only comparable within a run."""
