"""What is explained: the outcomes of a model for texts, and how far they are from each other."""
