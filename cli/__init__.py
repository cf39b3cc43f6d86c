"""The command line, installed as adapter_stilts_cli."""
