"""What an example is, one file per format: row, reading, features, head, prediction, metrics, control. They know files
and metrics, no task and no model."""
