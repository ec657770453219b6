"""DynamoDB: tables, items, expressions, on SQLite.

A request comes in as the JSON object of its operation and goes out as one (service). Between the two: the shape is
checked against AWS's own description of the API (shapes), values are checked and put into their normal form (values),
expressions are parsed once and bound to a request's names and values (expressions), rows lie
in SQLite (storage). What a table is, and what may be done to it, is in tables; what is done to its items in items,
queries, batches and transactions.

What belongs here: DynamoDB's rules, each once. What does not: HTTP, signatures, IAM (labkit.cloud.door).

AWS: Amazon DynamoDB API reference and developer guide; words of errors as AWS's service answers them.
"""
