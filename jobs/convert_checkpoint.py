import sys

from spadepis.configuration import parse_settings
from spadepis.conversion import ConversionConfig, convert_checkpoint
from spadepis.exit_status import exit_status

if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(exit_status(lambda: convert_checkpoint(parse_settings(ConversionConfig, arguments))))
