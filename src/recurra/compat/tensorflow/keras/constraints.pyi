from recurra.constraints import *
