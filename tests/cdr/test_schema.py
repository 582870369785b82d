"""Migrations: one line of them, ending where the code expects, giving the tables the code uses."""

import asyncio
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from santral.engine.cdr import database, schema
from santral.engine.cdr.store import CdrStore, StoreError
from santral.engine.cdr.tables import SCHEMA_HEAD, metadata


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return create_engine(f"sqlite:///{tmp_path}/cdr.db")


def test_there_is_one_head_and_the_code_names_it() -> None:
    scripts = ScriptDirectory.from_config(schema.config())
    assert scripts.get_heads() == [SCHEMA_HEAD]
    assert scripts.get_bases() == ["0001"]
    assert all(not each.is_branch_point and not each.is_merge_point for each in scripts.walk_revisions())


def test_an_upgrade_gives_exactly_the_tables_of_the_code(engine: Engine) -> None:
    assert schema.upgrade(engine) is True
    assert schema.upgrade(engine) is False
    with engine.connect() as connection:
        assert schema.current(connection) == SCHEMA_HEAD
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_postgresql_gets_time_stamps_and_jsonb() -> None:
    made = str(CreateTable(metadata.tables["calls"]).compile(dialect=postgresql.dialect()))
    assert "started TIMESTAMP WITH TIME ZONE NOT NULL" in made
    assert "custom JSONB NOT NULL" in made


def test_a_new_migration_can_be_made_from_the_template(engine: Engine, tmp_path: Path) -> None:
    schema.upgrade(engine)
    shutil.copytree(schema.MIGRATIONS, tmp_path / "migrations")
    with engine.connect() as connection:
        config = schema.config(connection)
        config.set_main_option("script_location", str(tmp_path / "migrations"))
        command.revision(config, "one more", rev_id="9999")
    made = tmp_path / "migrations/versions/9999_one_more.py"
    assert f"down_revision = '{SCHEMA_HEAD}'" in made.read_text()
    compile(made.read_text(), str(made), "exec")
    engine.dispose()


async def test_a_database_of_a_later_version_is_refused(url: str, tmp_path: Path) -> None:
    store = CdrStore(url, node="n1")
    await store.start()
    await store.close()
    with sqlite3.connect(tmp_path / "data/cdr.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreError, match="another version of Santral"):
        await CdrStore(url, node="n1").start()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite://", "needs a file"),
        ("sqlite:////proc/nowhere/cdr.db", "cdr.db"),
        ("nonsense", "not a database URL"),
        ("oddbase+driver://user:hunter2@host/x", "oddbase"),
    ],
)
async def test_an_unusable_database_is_a_clear_error(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as problem:
        await CdrStore(url, node="n1").start()
    assert "hunter2" not in str(problem.value)


def test_passwords_are_not_shown() -> None:
    assert database.shown("postgresql+psycopg://u:hunter2@h/d") == "postgresql+psycopg://u:***@h/d"


async def test_a_start_without_migrations_does_not_load_alembic(url: str) -> None:
    store = CdrStore(url, node="n1")
    await store.start()
    await store.close()
    code = (
        "import asyncio, sys\n"
        "from santral.engine.cdr.store import CdrStore\n"
        "async def main():\n"
        "    store = CdrStore(sys.argv[1], node='n1'); await store.start(); await store.close()\n"
        "asyncio.run(main())\n"
        "sys.exit('alembic' in sys.modules)\n"
    )
    source = str(Path(__file__).parents[2] / "src")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, url, env={"PYTHONPATH": source})
    assert await process.wait() == 0
