"""What gunicorn serves and `flask --app wsgi` commands."""

import sys

from service.app import create_app
from service.core.config import SettingRefused, settings
from service.core.logs import configure

configure()

try:
    app = create_app(settings())
except SettingRefused as refused:
    sys.exit(str(refused))
