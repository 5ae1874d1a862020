"""The ``spadepis`` command: configuration, exit status, subcommands."""
