"""What a plan means before it is applied: the areas it touches, its permissions, its price."""
