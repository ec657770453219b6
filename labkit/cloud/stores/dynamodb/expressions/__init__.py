"""Expressions: their grammar, what they mean on an item, and the older parameters that mean the same.

What belongs here: everything between the text of an expression and a test, a change or a projection of one item. What
does not: items and rows (dynamodb.items, dynamodb.queries, dynamodb.storage).
"""
