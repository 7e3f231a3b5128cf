from recurra.saving import *
