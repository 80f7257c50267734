"""The files of a download: part file, journal, and the complete file with its provenance."""
