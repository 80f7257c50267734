"""Archives of files and folders, made while they are sent: of every byte is known where it comes from."""
