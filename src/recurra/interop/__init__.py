"""Files of other libraries: Keras now; one module for each format, reading and writing side by side."""
