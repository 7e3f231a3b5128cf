from recurra.callbacks import *
