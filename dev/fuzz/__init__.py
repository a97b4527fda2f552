"""Any input at all, through the path that a record takes in the worker: none may end it."""
