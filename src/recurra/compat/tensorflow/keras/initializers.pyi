from recurra.initializers import *
