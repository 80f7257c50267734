"""What a download decides, without I/O."""
