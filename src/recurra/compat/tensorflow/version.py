"""`tf.version`: the TensorFlow whose names and results these are; `recurra.__version__` is recurra's own."""

VERSION = "2.21.0"
