"""Organisations, classes, terms, persons, memberships, guardians; the roster in and out."""
