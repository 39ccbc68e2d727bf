"""The commands of `smile`, one file each, and what they print."""
