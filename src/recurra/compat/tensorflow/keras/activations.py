"""Never runs: `keras` has put `recurra.activations` here. Type checkers and editors read it."""

from recurra.activations import *
