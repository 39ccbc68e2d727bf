"""Toy Road: drawn road scenes with a known right answer for every instruction."""
