"""Tables: what one is, how it is made, changed and told, its time to live and its stream.

What belongs here: the operations on tables. What does not: the operations on items (dynamodb.items, dynamodb.queries,
dynamodb.batches, dynamodb.transactions).
"""
