"""Districts that do not exist, of any size, out of a seed: for trying the product, for tests and for measuring.

Whoever they look like, nobody is meant: identity numbers, telephone numbers and school codes are of regions and
networks that do not exist.
"""

from gongyu.people.generate.oneroster_zip import write_oneroster
from gongyu.people.generate.population import Population, generate
from gongyu.people.generate.register_workbook import write_register

__all__ = ["Population", "generate", "write_oneroster", "write_register"]
