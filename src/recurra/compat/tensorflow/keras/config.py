"""Never runs: `keras` has put `recurra.config` here. Type checkers and editors read it."""

from recurra.config import *
