import sys

from spadepis.configuration import parse_settings
from spadepis.dataset.instance_maps import InstanceMapsConfig, make_instance_maps
from spadepis.exit_status import exit_status

if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(exit_status(lambda: make_instance_maps(parse_settings(InstanceMapsConfig, arguments))))
