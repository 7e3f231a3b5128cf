from recurra.models import *
