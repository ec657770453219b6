"""One handler per resource type: how it is created, changed and deleted through the AWS API.

What belongs here: from properties to API calls. What does not: when and in which order (operations).
"""
