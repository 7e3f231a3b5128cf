"""Never runs: `keras` has put `recurra.constraints` here. Type checkers and editors read it."""

from recurra.constraints import *
