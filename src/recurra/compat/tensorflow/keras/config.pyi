from recurra.config import *
