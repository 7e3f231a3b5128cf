"""Never runs: `keras` has put `recurra.regularizers` here. Type checkers and editors read it."""

from recurra.regularizers import *
