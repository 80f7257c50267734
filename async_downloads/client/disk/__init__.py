"""What a download leaves on the disk."""
