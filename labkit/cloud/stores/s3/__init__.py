"""S3, an engine of our own: buckets, objects, versions, parts and listings on SQLite, large bodies in files.

What belongs here: what S3 does with a request that was let pass. What does not: HTTP connections, signatures and
policies (labkit.cloud.door).
"""
