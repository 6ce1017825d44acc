"""Mentors 成长导师: a fair assignment of students to mentors, and the year that follows it."""

__version__ = "0.1.0"
