"""What a run will hold in memory and how long it takes, before it starts; settings that fit a limit."""
