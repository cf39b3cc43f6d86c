"""`python -m adapter_stilts_cli`."""

from .app import main

main()
