"""`python -m jalons` is `jalons`."""

from jalons.cli import main

main()
