"""Processes. Each only wires players together."""
