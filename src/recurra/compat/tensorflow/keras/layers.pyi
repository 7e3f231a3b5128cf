from recurra.layers import *
