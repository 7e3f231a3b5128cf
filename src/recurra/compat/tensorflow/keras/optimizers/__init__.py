"""Never runs: `keras` has put `recurra.optimizers` here. Type checkers and editors read it."""

from recurra.optimizers import *
