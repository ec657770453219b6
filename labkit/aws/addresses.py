"""Fixed addresses of the local cloud, as seen from inside instances and functions.

What belongs here: constants that several parts of the cloud must agree on. What does not: anything
chosen at run time.
"""

#: EC2's instance metadata service
METADATA_ADDRESS = "169.254.169.254"
METADATA_PORT = 80

#: Lambda's Runtime API
RUNTIME_ADDRESS = "127.0.0.1"
RUNTIME_PORT = 9001

#: the internet side: a host that serves images, outside every VPC (RFC 5737 documentation addresses)
INTERNET = "internet"
IMAGE_HOST_ADDRESS = "203.0.113.10"
IMAGE_HOST_NAME = "images.lab.example"
IMAGE_HOST_PORT = 80
#: pip's index: the same host, which has no page there; whether it is reached is all that counts
PACKAGE_NAMES = ("pypi.org", "files.pythonhosted.org")
PACKAGE_PORT = 443

#: public addresses of instances and Elastic IPs, in this order: documentation's (RFC 5737) and, where those are all in use,
#: the benchmarks' (RFC 2544), so that none is ever a stranger's
PUBLIC_CIDRS = ("203.0.113.0/24", "192.0.2.0/24", "198.19.0.0/16")
#: the first addresses of the first range are the image host's network
PUBLIC_BEGIN = 16

#: functions without a VPC: on the internet side, with addresses of their own
OUTSIDE_CIDR = "198.51.100.0/24"

#: AWS's public endpoints: one host on the internet side has all of these (RFC 2544)
AWS = "aws"
AWS_CIDR = "198.18.0.0/24"
AWS_ADDRESS = "198.18.1.10"
#: what AWS's endpoints see instead of an interface's private address: one each, so that they know who
#: calls whatever way the call came (RFC 6598)
CARRIER_CIDR = "100.64.0.0/10"

#: the VPC's DNS resolver (Amazon VPC, "Amazon DNS server")
RESOLVER_ADDRESS = "169.254.169.253"
RESOLVER_PORT = 53

#: the account that the local cloud is
ACCOUNT_ID = "123456789012"
