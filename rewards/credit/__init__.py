"""One module a credit-assignment method."""
