from recurra.activations import *
