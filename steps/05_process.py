"""Step 05: Send images through function, server, S3 and DynamoDB."""

from _launch import launch

launch("05")
