"""What VPCs let through: the model, the decision with its reasons, reading any account into the model."""
