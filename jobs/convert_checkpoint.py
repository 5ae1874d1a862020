import sys

from spadepis.checkpoints.conversion import ConversionConfig, convert_checkpoint
from spadepis.cli.exit_status import exit_status
from spadepis.configuration import parse_settings

if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(exit_status(lambda: convert_checkpoint(parse_settings(ConversionConfig, arguments))))
