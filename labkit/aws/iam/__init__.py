"""AWS's access control as pure functions: policies, requests and decisions.

What belongs here: who may do what, decided from plain records. What does not: HTTP, and where
policies are kept.
"""

from labkit.aws.iam.evaluator import Decision, Request, evaluate, passes_endpoint

__all__ = ["Decision", "Request", "evaluate", "passes_endpoint"]
