"""Thanks for notices."""
