"""Never runs: `keras` has put `recurra.optimizers.schedules` here. Type checkers and editors read it."""

from recurra.optimizers.schedules import *
