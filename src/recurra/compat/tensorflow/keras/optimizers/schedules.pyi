from recurra.optimizers.schedules import *
