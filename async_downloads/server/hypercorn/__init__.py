"""The parts of Hypercorn that are replaced; nothing else in this package knows its private names."""
