from recurra.optimizers import *
