import sys

from spadepis.cli.exit_status import exit_status
from spadepis.configuration import parse_settings
from spadepis.dataset.inputs.instance_maps import InstanceMapsConfig, make_instance_maps

if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(exit_status(lambda: make_instance_maps(parse_settings(InstanceMapsConfig, arguments))))
