"""Never runs: `keras` has put `recurra.callbacks` here. Type checkers and editors read it."""

from recurra.callbacks import *
