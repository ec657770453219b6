"""S3's requests and answers as they go over the wire: headers, documents, forms, checksums, errors.

What belongs here: reading and writing by AWS's own description of the API. What does not: what operations do.
"""
