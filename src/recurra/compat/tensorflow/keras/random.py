"""Never runs: `keras` has put `recurra.random` here. Type checkers and editors read it."""

from recurra.random import *
