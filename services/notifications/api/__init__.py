"""What partners, the coordinator and the operator may ask of the service."""
