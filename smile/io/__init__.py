"""Everything that reads or writes a file; what is read is checked before anything uses it."""
