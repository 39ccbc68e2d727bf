"""The mathematics of SMILE on arrays, with NumPy and SciPy: nothing here knows a model, a picture or a file."""
