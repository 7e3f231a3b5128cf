from recurra.random import *
