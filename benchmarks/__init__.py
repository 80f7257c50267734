"""Compare download servers: the same files, one worker each, in interleaved rounds."""
