"""The subcommands of `async-downloads`, one module each, and what they share."""
