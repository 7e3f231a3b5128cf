"""Never runs: `keras` has put `recurra.layers` here. Type checkers and editors read it."""

from recurra.layers import *
