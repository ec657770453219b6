"""Who signed a request, and whether the signature holds: Signature Version 4 in all its forms."""
