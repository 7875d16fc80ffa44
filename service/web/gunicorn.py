"""How gunicorn runs: threads, since pages wait for the database; no control socket, no access log with links in it."""

import os

bind = f"{os.environ.get('WEB_HOST', '127.0.0.1')}:{os.environ.get('WEB_PORT') or os.environ.get('PORT') or '8000'}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = 4
timeout = 60
graceful_timeout = 3
accesslog = None
control_socket_disable = True
