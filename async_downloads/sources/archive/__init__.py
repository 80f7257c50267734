"""Archives of files and folders, made while they are sent: the origin of every byte is known before."""
