"""What a run will hold in memory and how long it will take, told from numbers alone, and settings that fit a limit."""
