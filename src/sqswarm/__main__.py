"""`python -m sqswarm`: the command line, as the console script `sqswarm` runs it."""

from sqswarm.infra.cli.app import main

main()
