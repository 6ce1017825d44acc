"""A district's people as files: a roster others can read, lists for a class's wall."""
