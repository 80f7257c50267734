"""Tests of catalogues whose bytes are in a bucket."""
