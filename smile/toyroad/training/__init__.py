"""Training the bundled models on Toy Road, measuring them and writing their model card. It takes hours, on a GPU."""
