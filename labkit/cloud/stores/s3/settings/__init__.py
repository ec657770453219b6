"""Buckets and what is set on them: ACLs, policies, CORS, encryption, lifecycle, notifications, tags.

What belongs here: the operations on a bucket, and what its settings mean for objects. What does not: objects
themselves (s3.objects and its neighbours).
"""
