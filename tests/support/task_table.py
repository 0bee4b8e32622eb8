"""A stage's table, made by hand as the template has it: for tests that deploy nothing."""

from sqswarm.infra.template.storage import table


def make_table(dynamodb, names):
    """Make the table of `names`."""
    properties = table(names).to_dict()["Properties"]
    wanted = ("BillingMode", "KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes")
    dynamodb.create_table(TableName=names.table, **{name: properties[name] for name in wanted})
