"""The same cases in each library, one module each; worker.py runs one of them.

`start(threads)`, and for each question that the library can answer a function that returns what is to be timed: NumPy
arrays in, a result that is ready and read at the end.
"""
