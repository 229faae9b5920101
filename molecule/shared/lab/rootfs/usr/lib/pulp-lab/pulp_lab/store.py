"""Why this exists: Debian has no MongoDB. Documents of a kind live in one SQLite table; WAL lets all processes, also
those of a second host on the same volume, read while one writes. Each call opens its own connection, so nothing
is inherited by Celery's forked children."""

import contextlib
import datetime
import json
import secrets
import sqlite3

from pulp_lab import settings


class Duplicate(Exception):
    pass


def initialise():
    db = sqlite3.connect(settings.DATABASE)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("""CREATE TABLE IF NOT EXISTS documents
                  (kind TEXT, id TEXT, body TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID""")
    db.close()


@contextlib.contextmanager
def transaction():
    db = sqlite3.connect(settings.DATABASE, timeout=30, isolation_level=None)
    try:
        # The lab's state need not survive a power cut; without fsync it is no brake on what is measured.
        db.execute("PRAGMA synchronous=OFF")
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute("COMMIT")
    finally:
        db.close()


def _read(db, kind, key):
    row = db.execute("SELECT body FROM documents WHERE kind=? AND id=?", (kind, key)).fetchone()
    return json.loads(row[0]) if row else None


def _write(db, kind, key, document):
    db.execute("INSERT OR REPLACE INTO documents VALUES (?,?,?)", (kind, key, json.dumps(document)))


def get(kind, key):
    with transaction() as db:
        return _read(db, kind, key)


def find(kind, **equal):
    with transaction() as db:
        rows = db.execute("SELECT body FROM documents WHERE kind=? ORDER BY id", (kind,)).fetchall()
    documents = (json.loads(body) for (body,) in rows)
    return [d for d in documents if all(d.get(k) == v for k, v in equal.items())]


def create(kind, key, document):
    with transaction() as db:
        if _read(db, kind, key) is not None:
            raise Duplicate(key)
        _write(db, kind, key, document)
    return document


def put(kind, key, document):
    with transaction() as db:
        _write(db, kind, key, document)


def update(kind, key, change):
    """Applies `change` to the document in one transaction; returns the document, or None where there is none."""
    with transaction() as db:
        document = _read(db, kind, key)
        if document is not None:
            change(document)
            _write(db, kind, key, document)
        return document


def delete(kind, key):
    with transaction() as db:
        return db.execute("DELETE FROM documents WHERE kind=? AND id=?", (kind, key)).rowcount > 0


def object_id():
    return {"$oid": secrets.token_hex(12)}


def now():
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
