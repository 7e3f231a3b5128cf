from recurra.backend import *
