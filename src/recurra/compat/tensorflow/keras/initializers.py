"""Never runs: `keras` has put `recurra.initializers` here. Type checkers and editors read it."""

from recurra.initializers import *
