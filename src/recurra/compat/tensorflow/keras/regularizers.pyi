from recurra.regularizers import *
