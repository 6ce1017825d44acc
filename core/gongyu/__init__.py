"""Gongyu 共育: the core. Districts, people and the plugin contract; everything else is a plugin."""

__version__ = "0.1.0"
