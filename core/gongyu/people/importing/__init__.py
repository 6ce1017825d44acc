"""Rosters into a district: what a roster would change, and changing it, whole or not at all."""
