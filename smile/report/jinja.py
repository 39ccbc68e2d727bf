"""Where all HTML of the package comes from: Jinja2 templates, in which every value is escaped.

Markup that is ours is passed as `Markup`; it alone is inserted as it is.
"""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1]),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.policies["json.dumps_kwargs"] = {"ensure_ascii": False}  # of the filter `tojson`


def render(name: str, **values) -> Markup:
    """The template called `name`, a path below `smile/` such as "report/templates/page.html", filled with `values`.

    Every value that is not itself `Markup` is escaped. Raises `jinja2.UndefinedError` where the template uses a value that
    is not given.
    """
    return Markup(ENVIRONMENT.get_template(name).render(values))
