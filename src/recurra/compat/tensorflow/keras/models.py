"""Never runs: `keras` has put `recurra.models` here. Type checkers and editors read it."""

from recurra.models import *
