"""The operator is told once when something does not work, once when all is well again, and each week that it is."""
