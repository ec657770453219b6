"""Filter patterns of CloudWatch Logs: which log events a pattern means, and what it takes out of them.

AWS: CloudWatch Logs user guide, "Filter pattern syntax for metric filters, subscription filters, filter log events, and Live Tail".
"""

from labkit.aws.log_patterns.patterns import Pattern, read_pattern
from labkit.aws.log_patterns.values import InvalidPattern

__all__ = ["InvalidPattern", "Pattern", "read_pattern"]
