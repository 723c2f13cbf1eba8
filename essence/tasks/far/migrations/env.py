"""Alembic's entry: runs on the connection that `essence.store.schema` hands over, inside its transaction."""

from alembic import context

from essence.tasks.far.ledger import metadata

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    target_metadata=metadata,
)
with context.begin_transaction():
    context.run_migrations()
