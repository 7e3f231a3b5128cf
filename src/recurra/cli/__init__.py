"""The command line: `recurra forecast`, `backtest`, `show`, `convert`, `demo` and `info`. One file for each command."""
