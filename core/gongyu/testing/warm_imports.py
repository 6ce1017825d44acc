"""What any command may need, imported once: see `gongyu.testing.warm`."""

import importlib
import pkgutil

import gongyu.cli
from gongyu.host import load_host

for module in pkgutil.iter_modules(gongyu.cli.__path__, "gongyu.cli."):
    importlib.import_module(module.name)
load_host()
