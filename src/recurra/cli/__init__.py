"""The command line: `recurra forecast`, `backtest`, `demo` and `info`. One file for each command."""
