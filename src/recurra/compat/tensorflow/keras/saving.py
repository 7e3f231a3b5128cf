"""Never runs: `keras` has put `recurra.saving` here. Type checkers and editors read it."""

from recurra.saving import *
