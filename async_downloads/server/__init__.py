"""The process that serves: its addresses, workers, signals and logs."""
