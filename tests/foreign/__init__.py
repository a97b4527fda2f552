"""The contract in the hands of programs that are not ours, nor Python's: `make foreign` installs them."""
